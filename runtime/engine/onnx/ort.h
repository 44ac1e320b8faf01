// The part of ONNX Runtime's C API that the Go wrapper lacks: sessions, runs and values of every type. The API is a table
// of functions whose places never change (the library only appends), so no header of the library is needed.
#include <stddef.h>
#include <stdint.h>

typedef void *handle; // an object of the library, or a status: NULL is success

enum { // places in the table
	CREATE_ENV = 3, CREATE_SESSION = 7, CREATE_SESSION_FROM_ARRAY = 8, RUN = 9, CREATE_SESSION_OPTIONS = 10,
	DISABLE_MEM_PATTERN = 17, DISABLE_CPU_MEM_ARENA = 19, SET_OPTIMIZATION_LEVEL = 23, SET_INTRA_THREADS = 24,
	SET_INTER_THREADS = 25, SESSION_INPUT_COUNT = 30, SESSION_OUTPUT_COUNT = 31, SESSION_INPUT_TYPE = 33,
	SESSION_OUTPUT_TYPE = 34, SESSION_INPUT_NAME = 36, SESSION_OUTPUT_NAME = 37, CREATE_RUN_OPTIONS = 39,
	SET_TERMINATE = 46, CREATE_TENSOR = 48, CREATE_TENSOR_WITH_DATA = 49, TENSOR_DATA = 51, STRINGS_LENGTH = 53,
	STRINGS_CONTENT = 54, TYPE_TENSOR = 55, TYPE_KIND = 56, TENSOR_ELEMENT = 60, DIMENSION_COUNT = 61, DIMENSIONS = 62,
	ELEMENT_COUNT = 64, TENSOR_INFO = 65, VALUE_KIND = 67, CPU_MEMORY = 69, ALLOCATOR_FREE = 76, ALLOCATOR = 78,
	GET_VALUE = 80, VALUE_COUNT = 81, CREATE_VALUE = 82, RELEASE_STATUS = 93, RELEASE_SESSION = 95, RELEASE_VALUE = 96,
	RELEASE_RUN_OPTIONS = 97, RELEASE_TYPE = 98, RELEASE_TENSOR_INFO = 99, RELEASE_SESSION_OPTIONS = 100, TYPE_MAP = 103,
	TYPE_SEQUENCE = 104, MAP_KEY = 105, MAP_VALUE = 106, SEQUENCE_ELEMENT = 107, ADD_CONFIG = 130, HAS_VALUE = 192,
	APPEND_CUDA = 204, CREATE_CUDA_OPTIONS = 205, UPDATE_CUDA_OPTIONS = 206, RELEASE_CUDA_OPTIONS = 208, TYPE_OPTIONAL = 250,
	OPTIONAL_CONTAINED = 251, RESIZED_STRING = 252, HAS_SHAPE = 390, PLACEMENT = 407, PLACED_ON = 408, PLACED_NODES = 409,
};

enum { KIND_TENSOR = 1, KIND_SEQUENCE = 2, KIND_MAP = 3, KIND_OPTIONAL = 6 };

enum { MAX_RANK = 16 };

// A value as it is: for tensors all fields, for others the kind; none where there is nothing.
typedef struct {
	int32_t kind, none, element, rank;
	int64_t shape[MAX_RANK];
	size_t count; // elements
	size_t bytes; // of strings: all their characters
	void *data;   // NULL for strings
} look;

// ort_open finds the table in the library at path, which is loaded already; NULL is success, else why not.
const char *ort_open(const char *path);

// ort_text takes a status apart: a copy of its text, to be freed.
char *ort_text(handle status);

// ort_get calls function i with (object, result).
handle ort_get(int i, handle object, void *result);

// ort_at calls function i with (object, index, result); names are results that ort_free frees.
handle ort_at(int i, handle object, size_t index, handle *result);
handle ort_name(int i, handle object, size_t index, char **result);
void ort_free(void *p);

void ort_release(int i, handle object);
void ort_release_values(handle *values, size_t n);

handle ort_dimensions(handle info, int64_t *shape, size_t rank);
int ort_has_shape(handle info);

// ort_preload opens a library that another one will look for by name; NULL is success, else why not.
const char *ort_preload(const char *path);

// How a session is made.
typedef struct {
	int threads;
	int cuda;       // number of the GPU, or -1
	uint64_t bytes; // of the GPU's memory that it may take; 0: all
	int placement;  // keep what ort_places tells
} manner;

// ort_session makes a session of the file at path, or of the n bytes at data where path is NULL. *device tells after an error
// whether the device, and not the model, is to blame.
handle ort_session(const char *path, const void *data, size_t n, const manner *how, int *device, handle *session);

enum { MAX_PLACES = 8 };

// What runs so many nodes of a session's graph.
typedef struct {
	char name[64]; // "CUDAExecutionProvider"
	size_t nodes;
} place;

// ort_places tells, of a session made with placement, what its nodes run on. places has room for MAX_PLACES.
handle ort_places(handle session, place *places, size_t *n);

handle ort_tensor(int32_t element, const int64_t *shape, size_t rank, void *data, size_t bytes, handle *value);

// ort_strings makes a tensor of strings from the form they travel in: a little-endian length of 4 bytes before each.
handle ort_strings(const int64_t *shape, size_t rank, const uint8_t *data, size_t count, handle *value);

// ort_strings_out writes that form; to has room for bytes and 4 for each of the count elements.
handle ort_strings_out(handle value, size_t count, size_t bytes, uint8_t *to);

handle ort_collect(int32_t kind, handle *values, size_t n, handle *value);
handle ort_look(handle value, look *out);

// ort_run runs and looks at every answer. values holds the answers' values, to be released.
handle ort_run(handle session, handle options, char **names, handle *inputs, size_t n, char **answers, handle *values, look *looks, size_t m);

handle ort_run_options(handle *options);

// ort_stop makes a run with these options end at the next node.
void ort_stop(handle options);

// ort_trim gives freed memory back to the system, which glibc does not do by itself.
void ort_trim(void);
