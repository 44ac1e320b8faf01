import type { Problem } from './types';

/** Refused is every answer of the API that is not a success, and the network's own failures (status 0). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? problem.title ?? String(status));
  }
}

const groupKey = 'edgeward-group';

/** The group the page works in; '' is the principal's own choice. */
export const group = {
  get: () => localStorage.getItem(groupKey) ?? '',
  set: (name: string) => (name ? localStorage.setItem(groupKey, name) : localStorage.removeItem(groupKey)),
};

export function headers(extra: Record<string, string> = {}): Record<string, string> {
  const g = group.get();
  return g ? { 'Edgeward-Group': g, ...extra } : extra;
}

type Query = Record<string, string | number | boolean | undefined>;

export function path(p: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== '' && v !== false) q.set(k, String(v));
  const s = q.toString();
  return '/api/v1' + p + (s ? '?' + s : '');
}

async function refused(r: Response): Promise<Refused> {
  let problem: Partial<Problem> = { title: r.statusText, request_id: r.headers.get('Edgeward-Request-Id') ?? undefined };
  try {
    problem = { ...problem, ...((await r.json()) as Problem) };
  } catch {
    /* not JSON: a proxy answered */
  }
  return new Refused(r.status, problem);
}

const tags = new Map<string, string>();

/** The entity tag of the object that the page read last at a GET's path; '*', whatever state it is in, for what it has not read. */
export const seen = (p: string) => tags.get(group.get() + p) ?? '*';

async function send(method: string, p: string, query?: Query, body?: unknown, signal?: AbortSignal, match?: string): Promise<Response> {
  const json = body !== undefined;
  const extra: Record<string, string> = json ? { 'Content-Type': 'application/json' } : {};
  if (match) extra['If-Match'] = match;
  let r: Response;
  try {
    r = await fetch(path(p, query), {
      method,
      signal,
      headers: headers(extra),
      body: json ? JSON.stringify(body) : undefined,
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e;
    throw new Refused(0, { code: 'network.unreachable' });
  }
  if (!r.ok) throw await refused(r);
  const tag = r.headers.get('ETag');
  if (method === 'GET' && tag?.startsWith('"') && tag.includes('.')) tags.set(group.get() + p, tag);
  return r;
}

async function answer<T>(r: Response): Promise<T> {
  if (r.status === 204) return undefined as T;
  const text = await r.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(p: string, query?: Query, signal?: AbortSignal) => send('GET', p, query, undefined, signal).then((r) => answer<T>(r));
export const getText = (p: string) => send('GET', p).then((r) => r.text());
/** match of a post: only while the object is as the person saw it; any state where it is absent. */
export const post = <T>(p: string, body?: unknown, match?: string) => send('POST', p, undefined, body, undefined, match).then((r) => answer<T>(r));
/** put, patch and remove change the object only while it is as match says: what seen gave when the person looked at it. */
export const put = <T>(p: string, body: unknown, match = '*') => send('PUT', p, undefined, body, undefined, match).then((r) => answer<T>(r));
export const patch = <T>(p: string, body: unknown, match = '*') => send('PATCH', p, undefined, body, undefined, match).then((r) => answer<T>(r));
export const remove = <T>(p: string, match = seen(p)) => send('DELETE', p, undefined, undefined, undefined, match).then((r) => answer<T>(r));

/** Has the browser keep bytes as a file. */
export function keep(b: Blob, name: string) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(b);
  a.download = name;
  a.click();
  URL.revokeObjectURL(a.href);
}

/** Has the browser keep an answer as a file. */
export const save = async (p: string, name: string) => keep(await (await send('GET', p)).blob(), name);

/** Streams a file as the body. XMLHttpRequest, since fetch tells nothing about how far an upload is. */
export function upload<T>(p: string, query: Query, file: Blob, progress: (share: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', path(p, query));
    for (const [k, v] of Object.entries(headers({ 'Content-Type': 'application/octet-stream' }))) x.setRequestHeader(k, v);
    x.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
    x.onerror = () => reject(new Refused(0, { code: 'network.unreachable' }));
    x.onload = () => {
      let body: unknown;
      try {
        body = JSON.parse(x.responseText);
      } catch {
        body = { title: x.statusText };
      }
      if (x.status >= 200 && x.status < 300) resolve(body as T);
      else reject(new Refused(x.status, body as Problem));
    };
    x.send(file);
  });
}
