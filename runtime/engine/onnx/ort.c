#define _GNU_SOURCE
#include "ort.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const void **table;
static handle memory, allocator, environment;

#define CALL(i, ...) ((handle(*)(__VA_ARGS__))table[i])
#define TRY(x) do { handle status_ = (x); if (status_) return status_; } while (0)

// The version of the API that the places above are of.
enum { API_VERSION = 29 };

static const char *say(handle status) {
	static char text[512]; // ort_open runs once
	char *t = ort_text(status);
	strncpy(text, t, sizeof text - 1);
	free(t);
	return text;
}

const char *ort_open(const char *path) {
	struct base { const void **(*api)(uint32_t); };
	if (table) return NULL;
	void *lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	if (!lib) return "the library has not been loaded";
	const struct base *(*get)(void) = (const struct base *(*)(void))dlsym(lib, "OrtGetApiBase");
	const void **t = get ? get()->api(API_VERSION) : NULL;
	if (!t) return "the library is too old";
	table = t;
	handle bad;
	// The environment is one for the process; this is another hold of it, which is never given back.
	if ((bad = CALL(CREATE_ENV, int, const char *, handle *)(4, "edgeward", &environment)) ||
	    (bad = CALL(CPU_MEMORY, int, int, handle *)(0, 0, &memory)) ||
	    (bad = CALL(ALLOCATOR, handle *)(&allocator))) {
		const char *why = say(bad);
		table = NULL;
		return why;
	}
	return NULL;
}

char *ort_text(handle status) {
	const char *(*message)(handle) = (const char *(*)(handle))table[2];
	char *text = strdup(message(status));
	ort_release(RELEASE_STATUS, status);
	return text;
}

handle ort_get(int i, handle object, void *result) { return CALL(i, handle, void *)(object, result); }

handle ort_at(int i, handle object, size_t index, handle *result) {
	if (i == GET_VALUE) return CALL(i, handle, int, handle, handle *)(object, (int)index, allocator, result);
	return CALL(i, handle, size_t, handle *)(object, index, result);
}

handle ort_name(int i, handle object, size_t index, char **result) {
	return CALL(i, handle, size_t, handle, char **)(object, index, allocator, result);
}

void ort_free(void *p) {
	handle status = CALL(ALLOCATOR_FREE, handle, void *)(allocator, p);
	if (status) ort_release(RELEASE_STATUS, status);
}

void ort_release(int i, handle object) {
	if (object) ((void (*)(handle))table[i])(object);
}

void ort_release_values(handle *values, size_t n) {
	for (size_t i = 0; i < n; i++) ort_release(RELEASE_VALUE, values[i]);
}

handle ort_dimensions(handle info, int64_t *shape, size_t rank) {
	return CALL(DIMENSIONS, handle, int64_t *, size_t)(info, shape, rank);
}

int ort_has_shape(handle info) { return ((_Bool(*)(handle))table[HAS_SHAPE])(info); }

static handle configure(handle o, int threads) {
	TRY(CALL(SET_INTRA_THREADS, handle, int)(o, threads));
	TRY(CALL(SET_INTER_THREADS, handle, int)(o, 1));
	TRY(CALL(SET_OPTIMIZATION_LEVEL, handle, int)(o, 99));
	TRY(CALL(DISABLE_CPU_MEM_ARENA, handle)(o));
	TRY(CALL(DISABLE_MEM_PATTERN, handle)(o));
	TRY(CALL(ADD_CONFIG, handle, const char *, const char *)(o, "session.intra_op.allow_spinning", "0"));
	TRY(CALL(ADD_CONFIG, handle, const char *, const char *)(o, "session.inter_op.allow_spinning", "0"));
	return NULL;
}

// CUDA puts its own signal handlers in the place of Go's, which then find themselves on the wrong stack. They are put back.
enum { SIGNALS = 65 };
static void keep_signals(struct sigaction *kept) {
	for (int i = 1; i < SIGNALS; i++) sigaction(i, NULL, &kept[i]);
}
static void restore_signals(const struct sigaction *kept) {
	for (int i = 1; i < SIGNALS; i++) {
		struct sigaction now;
		if (i == SIGKILL || i == SIGSTOP || sigaction(i, NULL, &now)) continue;
		if (now.sa_sigaction != kept[i].sa_sigaction || now.sa_flags != kept[i].sa_flags) sigaction(i, &kept[i], NULL);
	}
}

static handle use_cuda(handle options, const manner *how) {
	char number[16], bytes[24];
	snprintf(number, sizeof number, "%d", how->cuda);
	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)how->bytes);
	// No TF32: its products have ten bits, and the answers are held against those of the CPU.
	const char *keys[] = {"device_id", "use_tf32", "arena_extend_strategy", "gpu_mem_limit"}, *values[] = {number, "0", "kSameAsRequested", bytes};
	handle cuda = NULL;
	TRY(CALL(CREATE_CUDA_OPTIONS, handle *)(&cuda));
	handle status = CALL(UPDATE_CUDA_OPTIONS, handle, const char **, const char **, size_t)(cuda, keys, values, how->bytes ? 4 : 3);
	if (!status) status = CALL(APPEND_CUDA, handle, handle)(options, cuda);
	ort_release(RELEASE_CUDA_OPTIONS, cuda);
	return status;
}

const char *ort_preload(const char *path) {
	return dlopen(path, RTLD_LAZY | RTLD_GLOBAL) ? NULL : dlerror();
}

handle ort_session(const char *path, const void *data, size_t n, const manner *how, int *device, handle *session) {
	struct sigaction kept[SIGNALS];
	handle options = NULL, status;
	TRY(CALL(CREATE_SESSION_OPTIONS, handle *)(&options));
	status = configure(options, how->threads);
	if (!status && how->placement)
		status = CALL(ADD_CONFIG, handle, const char *, const char *)(options, "session.record_ep_graph_assignment_info", "1");
	if (!status && how->cuda >= 0) {
		keep_signals(kept);
		status = use_cuda(options, how);
		*device = status != NULL;
	}
	if (!status && path)
		status = CALL(CREATE_SESSION, handle, const char *, handle, handle *)(environment, path, options, session);
	else if (!status)
		status = CALL(CREATE_SESSION_FROM_ARRAY, handle, const void *, size_t, handle, handle *)(environment, data, n, options, session);
	if (how->cuda >= 0) restore_signals(kept);
	ort_release(RELEASE_SESSION_OPTIONS, options);
	return status;
}

handle ort_places(handle session, place *places, size_t *n) {
	const handle *parts;
	size_t count;
	*n = 0;
	TRY(CALL(PLACEMENT, handle, const handle **, size_t *)(session, &parts, &count));
	for (size_t i = 0; i < count; i++) {
		const char *name;
		const handle *nodes;
		size_t m, at = 0;
		TRY(CALL(PLACED_ON, handle, const char **)(parts[i], &name));
		TRY(CALL(PLACED_NODES, handle, const handle **, size_t *)(parts[i], &nodes, &m));
		while (at < *n && strncmp(places[at].name, name, sizeof places[at].name - 1)) at++;
		if (at == MAX_PLACES) continue;
		if (at == *n) {
			memset(&places[at], 0, sizeof places[at]);
			strncpy(places[at].name, name, sizeof places[at].name - 1);
			++*n;
		}
		places[at].nodes += m;
	}
	return NULL;
}

handle ort_tensor(int32_t element, const int64_t *shape, size_t rank, void *data, size_t bytes, handle *value) {
	static char nothing[8];
	return CALL(CREATE_TENSOR_WITH_DATA, handle, void *, size_t, const int64_t *, size_t, int, handle *)(
		memory, bytes ? data : nothing, bytes, shape, rank, element, value);
}

static uint32_t length(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

handle ort_strings(const int64_t *shape, size_t rank, const uint8_t *data, size_t count, handle *value) {
	TRY(CALL(CREATE_TENSOR, handle, const int64_t *, size_t, int, handle *)(allocator, shape, rank, 8, value));
	for (size_t i = 0; i < count; i++) {
		char *to;
		uint32_t n = length(data);
		TRY(CALL(RESIZED_STRING, handle, size_t, size_t, char **)(*value, i, n, &to));
		memcpy(to, data + 4, n);
		data += 4 + n;
	}
	return NULL;
}

handle ort_strings_out(handle value, size_t count, size_t bytes, uint8_t *to) {
	if (count == 0) return NULL;
	size_t *offsets = malloc(count * sizeof *offsets);
	char *text = malloc(bytes + 1);
	handle status = NULL;
	if (offsets && text) status = CALL(STRINGS_CONTENT, handle, void *, size_t, size_t *, size_t)(value, text, bytes, offsets, count);
	for (size_t i = 0; !status && offsets && text && i < count; i++) {
		size_t n = (i + 1 < count ? offsets[i + 1] : bytes) - offsets[i];
		to[0] = n, to[1] = n >> 8, to[2] = n >> 16, to[3] = n >> 24;
		memcpy(to + 4, text + offsets[i], n);
		to += 4 + n;
	}
	free(text);
	free(offsets);
	return status;
}

handle ort_collect(int32_t kind, handle *values, size_t n, handle *value) {
	return CALL(CREATE_VALUE, handle *, size_t, int, handle *)(values, n, kind, value);
}

static handle look_tensor(handle value, handle info, look *out) {
	size_t rank = 0;
	TRY(ort_get(TENSOR_ELEMENT, info, &out->element));
	TRY(ort_get(DIMENSION_COUNT, info, &rank));
	out->rank = (int32_t)rank;
	if (rank > MAX_RANK) return NULL; // the caller refuses it
	TRY(ort_dimensions(info, out->shape, rank));
	TRY(ort_get(ELEMENT_COUNT, info, &out->count));
	if (out->element == 8) return out->count ? ort_get(STRINGS_LENGTH, value, &out->bytes) : NULL;
	return ort_get(TENSOR_DATA, value, &out->data);
}

handle ort_look(handle value, look *out) {
	memset(out, 0, sizeof *out);
	int kind = 0, has = 1;
	if (value) TRY(ort_get(HAS_VALUE, value, &has));
	if (!value || !has) { // the library reads the type of nothing through a null pointer
		out->none = 1;
		return NULL;
	}
	TRY(ort_get(VALUE_KIND, value, &kind));
	out->kind = kind;
	if (kind != KIND_TENSOR) return NULL;
	handle info = NULL;
	TRY(ort_get(TENSOR_INFO, value, &info));
	handle status = look_tensor(value, info, out);
	ort_release(RELEASE_TENSOR_INFO, info);
	return status;
}

handle ort_run(handle session, handle options, char **names, handle *inputs, size_t n, char **answers, handle *values, look *looks, size_t m) {
	TRY(CALL(RUN, handle, handle, char **, handle *, size_t, char **, size_t, handle *)(session, options, names, inputs, n, answers, m, values));
	for (size_t i = 0; i < m; i++) TRY(ort_look(values[i], &looks[i]));
	return NULL;
}

handle ort_run_options(handle *options) { return CALL(CREATE_RUN_OPTIONS, handle *)(options); }

void ort_stop(handle options) {
	handle status = CALL(SET_TERMINATE, handle)(options);
	if (status) ort_release(RELEASE_STATUS, status);
}

void ort_trim(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
