// The made-up answers: two hospitals, a demonstration that has had its drift, one table model, one picture model.
const day = 86_400_000;
const t0 = Date.parse('2023-10-12T00:00:00Z');
const iso = (ms) => new Date(ms).toISOString();
const digest = (s) => 'sha256:' + s.repeat(64).slice(0, 64);
let seed = 7;
const rnd = () => ((seed = (seed * 16807) % 2147483647) / 2147483647 - 0.5) * 2;
const items = (list) => [200, { items: list }];

const everything = ['read', 'list', 'create', 'update', 'delete', 'promote', 'approve', 'predict', 'feedback', 'label', 'cancel', 'export'];
const resources = ['dataset', 'recipe', 'query', 'model', 'version', 'candidate', 'job', 'loop', 'endpoint', 'prediction', 'drift', 'alert', 'event', 'user', 'group', 'token', 'node', 'settings', 'backup', 'self', 'demo'];
const me = { principal: 'user:admin', name: 'admin', admin: true, group: 'main', group_id: '01J0', groups: [{ id: '01J0', name: 'main', roles: ['owner'] }, { id: '01J1', name: 'ward-7', roles: ['reviewer'] }], may: Object.fromEntries(resources.map((r) => [r, everything])), site: 'st-anna', node: 'cellar-1' };

const said = (group, level, n = 60) =>
  Array.from({ length: n }, (_, i) => {
    const at = t0 - (n - i) * day;
    const f = level * (1 + 0.09 * Math.sin((i * 2 * Math.PI) / 7));
    return { prediction_id: `01HP${group.length}${i}`, group, target: iso(at), version: i < 40 ? 1 : 2, role: 'live', forecast: f, low: f - level * 0.1, high: f + level * 0.1, truth: i === 22 ? null : Math.round(f + rnd() * level * 0.13) };
  });
const forecastOf = (group, level) => {
  const recent = said(group, level);
  return { group, prediction_id: '01HPNEXT' + group.length, target: iso(t0), forecast: level * 1.03, low: level * 0.93, high: level * 1.13, level: 0.8, last_season: Math.round(level * 0.976), truth: null, version: 2, said_at: iso(Date.now() - 4000), event_time: iso(t0 - day), data_to: iso(t0 - day), coverage: 0.8, covered_days: 60, mae: level * 0.06, recent };
};
const forecast = { endpoint: 'er-attendance', title: 'Emergency attendances', unit: 'attendances', demo: true, phase: 'evaluating', alert: true, groups: [forecastOf('Hospital Norte', 224.3), forecastOf('Hospital Sur', 96.2)] };

const equality = { max_abs_diff: 2.4e-6, tolerance: 1e-5, rows: 612, threshold_rows: 200, missing_rows: 77 };
const engines = { candidates: [{ engine: 'onnxruntime', version: '1.31.1', device: 'cpu', loads: true, max_abs_diff: 2.4e-6, p50_us: 61, load_ms: 14 }, { engine: 'openvino', version: '2026.4.1', device: 'CPU', loads: false, error: 'no rule to read the operator ai.onnx.ml.TreeEnsembleRegressor', max_abs_diff: 0, p50_us: 0 }], chosen: 'onnxruntime', why: 'the only engine that loads it' };
const recipe = { schema: 1, kind: 'forecast', target: 'attendances', time: 'date', group: 'hospital', frequency: 'daily', horizon: 1, lags: [1, 2, 7, 14], rolling: [{ steps: 28, min: 14 }], calendar: ['weekday', 'month'], counts: true, filters: [{ column: 'cause_id', value: '1' }] };
const version = (model, n, state, mae) => ({
  group: '01J0', model, number: n, digest: digest(String(n) + 'ab'), created: iso(Date.now() - (4 - n) * 40_000), created_by: 'system:demo-policy', demo: model === 'er-attendance', state, note: state === 'rejected' ? 'did not beat version 1 on 90 held-out days' : undefined,
  manifest: { format: 1, model, task: 'forecast', kind: 'onnx', files: [{ name: 'model.onnx', size: 412_332, digest: digest('c1'), role: 'model' }, { name: 'lightgbm.txt', size: 802_112, digest: digest('c2'), role: 'source' }], opset: { '': 21, 'ai.onnx.ml': 3 }, signature: { inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 9] }], outputs: [{ name: 'forecast', datatype: 'FP32', shape: [-1, 1] }, { name: 'low', datatype: 'FP32', shape: [-1, 1] }, { name: 'high', datatype: 'FP32', shape: [-1, 1] }] }, features: ['hospital', 'lag_1', 'lag_2', 'lag_7', 'lag_14', 'mean_28', 'weekday', 'month', 'day_of_year'], recipe, metrics: { mae, rmse: mae * 1.3, coverage: 0.81, 'group.Hospital Norte.mae': mae * 1.2, 'group.Hospital Sur.mae': mae * 0.7, 'control.mae': mae * 1.02, 'control.coverage': 0.79, 'importance.lag_7': 0.41, 'importance.mean_28': 0.33, 'importance.weekday': 0.26, 'baseline.seasonal_naive.mae': 17.2, 'baseline.seasonal_naive.group.Hospital Norte.mae': 20.1, 'baseline.four_week_mean.mae': 15.4 }, interval: { level: 0.8, method: 'split conformal', rows: 340 }, equality, engines, lineage: { data_set: 'er-daily', data_set_version: 1, data_set_digest: digest('d1'), recipe_digest: digest('e1'), job: '01HJOB' + n, parent: n > 1 ? 1 : undefined, train_from: '2021-01-01T00:00:00Z', train_to: n > 1 ? '2023-03-28T00:00:00Z' : '2022-06-30T00:00:00Z', valid_from: '2022-01-01T00:00:00Z', valid_to: '2022-06-30T00:00:00Z', parameters: { num_leaves: '15', learning_rate: '0.05', rounds: '240' }, versions: { lightgbm: '4.7.0', onnxruntime: '1.31.1' } }, intended_use: 'Shows how a forecast of daily attendances is made, watched and replaced.', limits: ['not a medical device', 'not for staffing or care decisions'], unit: 'attendances' },
});
const versions = [version('er-attendance', 3, 'promoted', 13.6), version('er-attendance', 2, 'rejected', 13.9), version('er-attendance', 1, 'retired', 13.8)];
const models = [
  { group: '01J0', name: 'er-attendance', task: 'forecast', description: 'Daily emergency attendances of two hospitals', created: iso(t0), created_by: 'system:demo-policy', demo: true, latest: 3, aliases: { champion: { version: 3, since: iso(Date.now() - 60_000), by: 'system:demo-policy', reason: 'better on 90 days', history: [{ version: 1, from: iso(Date.now() - 200_000), to: iso(Date.now() - 60_000), by: 'system:demo-policy', reason: 'first version' }] } } },
  { group: '01J0', name: 'digits', task: 'image', description: 'Handwritten digits', created: iso(t0), created_by: 'user:admin', demo: true, latest: 1 },
];

const columns = [{ name: 'date', type: 'date' }, { name: 'hospital', type: 'text' }, { name: 'cause_id', type: 'text', declared: true }, { name: 'attendances', type: 'integer' }];
const dsVersion = { number: 1, digest: digest('d1'), files: [{ name: 'data.parquet', size: 268_112, sha256: digest('f1') }, { name: 'source.parquet', size: 268_001, sha256: digest('f2') }], format: 'parquet', rows: 151_108, columns, profile_digest: digest('f3'), roles: { time: 'date', groups: ['hospital'], target: 'attendances' }, source: { file: 'er.parquet', licence: 'open data', attribution: 'DEIS MINSAL, Chile' }, created: iso(Date.now() - 300_000), created_by: 'system:demo-policy', message: 'first import' };
const datasets = [{ group: '01J0', name: 'er-daily', description: 'Daily emergency attendances by cause', created: iso(t0), created_by: 'system:demo-policy', demo: true, latest: dsVersion }, { group: '01J0', name: 'pump-line-4', created: iso(t0), created_by: 'user:admin', latest: { ...dsVersion, number: 3, rows: 8_760, format: 'csv' } }];
const bins = (n, peak) => Array.from({ length: n }, (_, i) => Math.round(1000 * Math.exp(-((i - peak) ** 2) / (n * 1.4)) + 20));
const profile = { schema: 1, rows: 151_108, columns: [
  { name: 'date', kind: 'time', type: 'date', counts: { count: 151_108, missing: 0, from: '2021-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z' } },
  { name: 'hospital', kind: 'categorical', type: 'text', categories: ['Hospital Norte', 'Hospital Sur'], counts: { count: 151_108, missing: 0, bins: [80_104, 71_004, 0], distinct: 2 } },
  { name: 'cause_id', kind: 'categorical', type: 'text', categories: ['1', '2', '25', '7'], counts: { count: 151_108, missing: 3_020, bins: [30_000, 52_000, 41_000, 9_000, 16_088], distinct: 42 } },
  { name: 'attendances', kind: 'numeric', type: 'integer', edges: Array.from({ length: 31 }, (_, i) => i * 12), low: 0, high: 398, counts: { count: 151_108, missing: 12, zeros: 27, bins: bins(32, 12), distinct: 311, moments: { n: 151_096, mean: 161.2, m2: 1e9, m3: 0, m4: 0, min: 0, max: 398 } } },
], coverage: { time: 'date', groups: ['hospital'], value: 'attendances', step: 'day', step_seconds: 86400, from: '2021-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z', total: 2, series: [
  { key: ['Hospital Norte'], rows: 1853, steps: 1853, missing: 4, duplicates: 0, zeros: 0, empty: 0, from: '2021-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z', gaps: [{ from: '2023-05-02T00:00:00Z', to: '2023-05-03T00:00:00Z', steps: 2 }, { from: '2024-02-11T00:00:00Z', to: '2024-02-12T00:00:00Z', steps: 2 }] },
  { key: ['Hospital Sur'], rows: 1780, steps: 1780, missing: 77, duplicates: 0, zeros: 27, empty: 12, from: '2021-01-01T00:00:00Z', to: '2026-01-31T00:00:00Z', gaps: [{ from: '2021-07-01T00:00:00Z', to: '2021-08-29T00:00:00Z', steps: 60 }, { from: '2022-12-24T00:00:00Z', to: '2023-01-09T00:00:00Z', steps: 17 }] },
] } };

const spec = { revision: 4, targets: [{ version: 3, digest: digest('3ab'), role: 'live' }], previous: { version: 1, digest: digest('1ab'), role: 'live' }, reason: 'better on 90 held-out days', by: 'system:demo-policy', at: iso(Date.now() - 60_000) };
const status = { observed_revision: 4, state: 'ready', live: 3, at: iso(Date.now() - 60_000), versions: [{ version: 3, digest: digest('3ab'), role: 'live', loaded: true, engine: 'onnxruntime 1.31.1', device: 'cpu', since: iso(Date.now() - 60_000), load_ms: 14.2, warm_us: 61, max_diff: 2.4e-6, golden: 96 }, { version: 1, digest: digest('1ab'), loaded: true, engine: 'onnxruntime 1.31.1', device: 'cpu', since: iso(Date.now() - 200_000), load_ms: 13.1, warm_us: 60 }], evidence: [{ at: iso(Date.now() - 61_000), version: 3, what: 'load', ok: true, detail: '14 ms' }, { at: iso(Date.now() - 60_500), version: 3, what: 'golden', ok: true, detail: '96 values, largest difference 2.4e-06' }, { at: iso(Date.now() - 60_000), version: 3, what: 'swap', ok: true }] };
const counters = (v, role, requests) => ({ version: v, role, requests, refused: 1, errors: 0, in_flight: 0, rows: requests, inputs_out: 3, answers_out: 0, dropped: 0, compared: 0, differ: 0, p50_us: 640, p90_us: 1100, p95_us: 1400, p99_us: 2300 });
const endpoints = [
  { endpoint: { group: '01J0', name: 'er-attendance', title: 'Emergency attendances', kind: 'forecast', model: 'er-attendance', demo: true, created: iso(t0), created_by: 'system:demo-policy', record: 'features' }, spec, status, metrics: { state: 'ready', in_flight: 0, overloaded: 0, versions: [counters(1, 'live', 1210), counters(3, 'live', 644)] }, records: { predictions: 1854, answered: 1854, truths: 1840, first: '2022-07-01T00:00:00Z', last: '2023-10-11T00:00:00Z', watermark: '2023-10-11T00:00:00Z' }, phase: 'watching', drift: 'quiet', actions: everything, fields: [{ name: 'hospital', kind: 'category', choices: ['Hospital Norte', 'Hospital Sur'], example: 'Hospital Norte' }, { name: 'lag_1', kind: 'number', example: 214 }, { name: 'lag_7', kind: 'number', example: 219 }, { name: 'mean_28', kind: 'number', example: 223.4 }] },
  { endpoint: { group: '01J0', name: 'digits', kind: 'raw', model: 'digits', demo: true, created: iso(t0), created_by: 'user:admin', record: '' }, spec: { ...spec, revision: 1, previous: undefined, targets: [{ version: 1, digest: digest('1cd'), role: 'live' }] }, status: { ...status, observed_revision: 1, live: 1, versions: [{ ...status.versions[0], version: 1 }] }, records: { predictions: 3, answered: 3, truths: 0 }, actions: everything, fields: [{ name: 'image', kind: 'tensor', datatype: 'FP32', shape: [-1, 1, 8, 8] }] },
];

const course = Array.from({ length: 300 }, (_, i) => ({ at: iso(t0 - (300 - i) * day), m: i < 200 ? 0.6 + Math.abs(rnd()) * 4 : Math.exp((i - 200) / 14), level: i < 210 ? 'quiet' : i < 270 ? 'suspected' : 'alarm', version: 1 }));
const alert = { key: 'drift/er-attendance', rule: { name: 'drift', severity: 3 }, labels: { endpoint: 'er-attendance', model: 'er-attendance', version: '1' }, state: 'firing', episode: 1, since: iso(t0 - 29 * day), active_at: iso(t0 - 29 * day), fired_at: iso(t0 - 29 * day), resolved_at: '0001-01-01T00:00:00Z', value: 192, code: 'drift.alarm', endpoint: 'er-attendance', demo: true };
const streams = [['Hospital Norte', 'bias', 410, 12.4, 0.3], ['Hospital Norte', 'error', 260, 21.2, 15.1], ['Hospital Sur', 'bias', 3.1, 1.1, -0.2], ['Hospital Sur', 'error', 1.2, 8.2, 7.9]].map(([group, stream, statistic, recent, reference]) => ({ group, stream, n: 271, statistic, recent, reference }));
const report = { schema: 'edgeward.drift/1', key: 'er-attendance/1/2023-09-13', seq: 38, site: 'st-anna', node: 'cellar-1', endpoint: 'er-attendance', model: 'er-attendance', version: digest('1ab'), window: { from: iso(t0 - 120 * day), to: iso(t0 - 29 * day), n: 182, missing_labels: 2 }, verdict: 'alarm', since: iso(t0 - 29 * day), statistic: 192, threshold: 120, streams, columns: [{ name: 'mean_28', stat: 'js_distance', value: 0.42, low: 0.31, tolerance: 0.1, moved: true, up: 0.83, n: 182 }, { name: 'lag_7', stat: 'js_distance', value: 0.33, low: 0.22, tolerance: 0.1, moved: true, up: 0.79, n: 182 }, { name: 'weekday', stat: 'js_distance', value: 0.02, low: 0, tolerance: 0.1, moved: false, up: 0.5, n: 182 }] };
const policy = { cool_down_days: 30, evaluation_days: 90, training_days: 0, shadow_answers: 28, canary_share: 0.1, canary_answers: 30, max_error_rate: 0.02, latency_factor: 3, latency_floor_ms: 20, max_attempts: 0, unattended: true, principal: 'demo-policy' };
const loop = { policy, endpoint: 'er-attendance', champion: digest('1ab'), phase: 'evaluating', since: iso(t0 - 28 * day), reason: 'training.done', attempt: 1, not_before: iso(t0), transitions: [{ at: iso(t0 - 29 * day), from: 'watching', to: 'retraining', code: 'drift.alarm' }, { at: iso(t0 - 28 * day), from: 'retraining', to: 'evaluating', code: 'training.done' }] };
const drift = { endpoint: 'er-attendance', version: 1, settings: { years_per_false_alarm: 4, per_year: 365.25, tolerance: 0.35 }, verdict: { at: iso(t0 - day), verdict: 'alarm', statistic: 192, threshold: 120, promise: true, autocorrelation: 0.11, streams }, course, alert, alarm_at: iso(t0 - 29 * day), quiet_days: 270, controls: [{ version: 1, days: 92, alarms: 0 }], versions: {}, reports: [report, { ...report, key: 'er-attendance/1/2023-08-13', seq: 37, verdict: 'quiet', statistic: 2 }], watermark: iso(t0 - day), loop, busy: true };
const candidate = (n, verdict, low, high, extra = {}) => ({ group: '01J0', id: '01HCAND' + n, endpoint: 'er-attendance', model: 'er-attendance', version: n, champion: 1, job: '01HJOB' + n, alert: 'drift/er-attendance', train_from: '2021-01-01T00:00:00Z', train_to: iso(t0 - 29 * day), eval_from: iso(t0 - 28 * day), eval_to: iso(t0 + 61 * day), days: 90, pairs: 180, champion_mae: 18.5, challenger_mae: 18.5 - (low + high) / 2, low, high, verdict, why: verdict === 'won' ? 'evaluation.better' : 'evaluation.not_better', created: iso(Date.now() - 90_000 * (4 - n)), decided: iso(Date.now() - 60_000), demo: true, ...extra });
const candidates = [candidate(3, 'won', 0.6, 4.5, { phase: 'approval' }), candidate(2, 'lost', -1.2, 1.6)];
const job = (n, state, extra = {}) => ({ group: '01J0', id: '01HJOB' + n, kind: 'train', title: 'Train er-attendance on days to 2023-03-28', spec: {}, by: 'system:demo-policy', demo: true, state, attempt: 1, created: iso(Date.now() - 100_000), started: iso(Date.now() - 95_000), ended: state === 'running' ? undefined : iso(Date.now() - 90_000), progress: { stage: state === 'running' ? 'setting 2 of 4' : 'done', done: state === 'running' ? 0.45 : 1 }, ...extra });
const jobs = [job(3, 'running'), job(2, 'succeeded', { result: { model: 'er-attendance', version: 2 } }), job(1, 'failed', { title: 'Import pump-line-4', kind: 'import', error: { kind: 'invalid', code: 'dataset.corrupt', message: 'line 312 has 5 fields, the first line has 4', hint: 'look at line 312' } })];
const events = Array.from({ length: 40 }, (_, i) => ({ seq: 140 - i, time: iso(Date.now() - i * 9000), principal: i % 3 ? 'system:demo-policy' : 'user:admin', group: '01J0', action: ['endpoint.spec.changed', 'model.version.created', 'job.succeeded', 'alert.fired', 'dataset.version.created'][i % 5], object: { kind: 'endpoint', name: 'er-attendance' }, reason: i % 5 === 0 ? 'better on 90 held-out days' : undefined, detail: { revision: '4' }, demo: true, prev: 'ab'.repeat(32) }));
const overview = { needs: [{ severity: 3, code: 'alert.firing', text: 'Emergency attendances: the forecast error has grown', link: '/drift/er-attendance', since: iso(Date.now() - 60_000) }, { severity: 2, code: 'candidate.approval', text: 'Version 3 of er-attendance waits for your approval', link: '/candidates', since: iso(Date.now() - 20_000) }], endpoints: [{ name: 'er-attendance', title: 'Emergency attendances', version: 1, state: 'ready', phase: 'evaluating', drift: 'alarm', requests: 1854, p95_ms: 1.4, mae: 17.1, demo: true }, { name: 'digits', version: 1, state: 'ready', requests: 3, p95_ms: 0.9, demo: true }], jobs: jobs.map((j) => ({ id: j.id, title: j.title, state: j.state, at: j.created })), counts: { datasets: 2, models: 2, endpoints: 2, predictions: 1857 }, health: { state: 'ready', ready: true, version: '0.1.0' } };
const node = { site: 'st-anna', node: 'cellar-1', version: '0.1.0', started: iso(Date.now() - 3.6e6), health: overview.health, listeners: [{ name: 'http', address: '127.0.0.1:8080', state: 'on' }, { name: 'mqtt', address: '127.0.0.1:1883', state: 'taken', note: 'another program has this address' }, { name: 'grpc', state: 'off', note: 'not yet' }], host: { cpus: 2, cpu_model: 'EPYC', memory_total: 8_360_000_000, memory_available: 5_100_000_000, disk_free: 40_000_000_000, load1: 0.8 }, workers: [{ kind: 'infer', pid: 812, starts: 1, deaths: 0 }, { kind: 'query', pid: 811, starts: 2, deaths: 1, last_errors: ['worker was killed: out of memory'] }], models: { budget_bytes: 3_221_225_472, held_bytes: 900_000, models: 2, loaded: 1, largest: [{ name: 'visits-tomorrow/1', loaded: true, bytes: 900_000, idle_s: 4 }, { name: 'bearings/3', loaded: false, own: true, bytes: 640_000, idle_s: 900 }] }, mqtt: { connected: true, broker: 'embedded', outbox: 0, delivered: 40 }, storage: { facts_bytes: 2_300_000, blobs_bytes: 18_000_000, records_bytes: 900_000 }, records: { state: 'encrypted', algorithm: 'AES-256-GCM', source: 'data_dir', path: '/var/lib/edgeward/record.key', master: '6d1f0c2b9a8e7d54', files: 4, older: 0, plain: 0 }, outbound: [{ name: 'MQTT reports', to: 'mqtt://127.0.0.1:1883', what: 'drift reports: counts and statistics, never a value', last: iso(Date.now() - 30_000), last_body: '{"schema":"edgeward.drift/1","verdict":"alarm"}' }] };
const settings = [{ key: 'http.address', value: '127.0.0.1:8080', default: '127.0.0.1:8080', source: 'default', doc: 'Where the page and the API answer.' }, { key: 'mqtt.password', default: '', source: 'env', doc: 'Password at the broker.', secret: true }, { key: 'jobs.slots', value: 2, default: 1, source: 'file', doc: 'Jobs that run at once.' }];
const demo = { present: true, running: true, stage: 'replay', stages: [{ name: 'import', seconds: 1.2, done: true }, { name: 'train', seconds: 3.4, done: true, note: '240 rounds' }, { name: 'replay', seconds: 12, done: false }], day: iso(t0), days_per_second: 31, done: 0.55, updated: iso(Date.now()) };
const entry = { predictions: [{ id: '01HP1', group: '01J0', endpoint: 'er-attendance', version: 3, digest: digest('3ab'), role: 'live', received_at: iso(Date.now()), event_time: iso(t0 - day), target: iso(t0), key: 'Hospital Norte', input_values: [{ name: 'features', datatype: 'FP32', shape: [1, 3], values: [null, 214, 219] }, { name: 'ward', datatype: 'BYTES', shape: [1], values: ['Norte'] }], output_values: [{ name: 'forecast', datatype: 'FP32', shape: [1, 1], values: [231.4] }], latency_us: 640, demo: true }], feedback: [{ prediction_id: '01HP1', source: 'user:admin', kind: 'wrong', event_time: iso(t0), at: iso(Date.now()), principal: 'user:admin', note: 'public holiday' }] };
const lines = said('Hospital Norte', 224).reverse().map((p, i) => ({ seq: 900 - i, id: p.prediction_id, version: p.version, digest: digest('1ab'), role: 'live', received_at: iso(Date.now() - i * 1000), event_time: iso(Date.parse(p.target) - day), target: p.target, key: p.group, values: [p.forecast, p.low, p.high], rows: 1, truth: p.truth, latency_us: 640 + i, demo: true }));
const users = [{ id: 'u1', name: 'admin', display: 'Admin', admin: true, disabled: false, created: iso(t0), members: [{ group: '01J0', roles: ['owner'] }] }, { id: 'u2', name: 'nurse-kim', display: 'Kim', admin: false, disabled: false, created: iso(t0), members: [{ group: '01J0', roles: ['operator'] }] }];
const card = '# er-attendance, version 3\n\nForecasts **daily attendances** one day ahead.\n\n## Intended use\n\nShows how a forecast is made, watched and replaced.\n\n- not a medical device\n- not for staffing or care decisions\n\n| metric | value |\n| --- | --- |\n| MAE | 13.6 |\n| seasonal naive | 17.2 |\n';
const rowsOf = (offset, limit) => ({ columns: columns.map((c) => c.name), types: columns.map((c) => c.type), rows: Array.from({ length: Math.min(limit, 100) }, (_, i) => [iso(Date.parse('2021-01-01') + (offset + i) * day).slice(0, 10), i % 2 ? 'Hospital Sur' : 'Hospital Norte', '1', 180 + ((offset + i) % 60)]), total: 151_108 });

const routes = [
  [/^\/me$/, () => [200, me]],
  [/^\/overview$/, () => [200, overview]],
  [/^\/demo$/, () => [200, demo]],
  [/^\/node$/, () => [200, node]],
  [/^\/settings$/, () => items(settings)],
  [/^\/datasets$/, () => items(datasets)],
  [/^\/datasets\/[^/]+$/, () => [200, datasets[0]]],
  [/^\/datasets\/[^/]+\/versions$/, () => items([dsVersion])],
  [/\/profile$/, () => [200, { data_set: 'er-daily', version: 1, profile }]],
  [/\/rows$/, (q) => [200, rowsOf(Number(q.get('offset') ?? 0), Number(q.get('limit') ?? 50))]],
  [/\/sql$/, () => [200, rowsOf(0, 20)]],
  [/\/recipe$/, () => [200, { recipe, digest: digest('e1'), notes: ['hospital Sur lacks 77 days; they stay missing', 'the target is a count, so forecasts are never below zero'] }]],
  [/^\/models$/, () => items(models)],
  [/^\/models\/[^/]+$/, () => [200, { ...models[0], versions, endpoints: ['er-attendance'] }]],
  [/^\/models\/[^/]+\/versions\/\d+$/, () => [200, versions[0]]],
  [/\/card$/, () => [200, card]],
  [/\/train$/, () => [202, jobs[0]]],
  [/^\/endpoints$/, () => items(endpoints)],
  [/^\/endpoints\/digits$/, () => [200, endpoints[1]]],
  [/^\/endpoints\/[^/]+$/, () => [200, endpoints[0]]],
  [/^\/endpoints\/er-attendance\/forecast$/, () => [200, forecast]],
  [/^\/endpoints\/er-attendance\/drift$/, () => [200, drift]],
  [/^\/endpoints\/[^/]+\/predictions$/, () => items(lines)],
  [/^\/endpoints\/[^/]+\/performance$/, () => items([{ version: 1, role: 'live', from: iso(t0 - 300 * day), to: iso(t0), answers: 600, pairs: 590, mae: 17.1, bias: 6.2, coverage: 0.71 }, { version: 3, role: 'live', from: iso(t0 - 30 * day), to: iso(t0), answers: 60, pairs: 58, mae: 13.9, bias: 0.4, coverage: 0.8 }])],
  [/\/predict$/, () => items([{ id: '01HP1', version: 3, outputs: { forecast: 231.4, low: 208.1, high: 254.0 } }])],
  [/^\/predictions\//, () => [200, entry]],
  [/^\/alerts$/, () => items([alert])],
  [/^\/candidates$/, () => items(candidates)],
  [/^\/jobs$/, () => items(jobs)],
  [/^\/jobs\/[^/]+$/, (_q, p) => [200, jobs.find((j) => p.endsWith(j.id)) ?? jobs[0]]],
  [/\/log$/, (q) => items(Number(q.get('after') ?? 0) >= 5 ? [] : Array.from({ length: 5 }, (_, i) => ({ n: i + 1, time: iso(Date.now() - 9000 + i * 900), text: ['read 151,108 rows', 'features: 9 columns, 3,702 rows', 'setting 1 of 4: MAE 13.9', 'setting 2 of 4: MAE 13.8', 'round 120'][i] })))],
  [/^\/audit\/verify$/, () => [200, { ok: true, size: 140, root: 'ab'.repeat(32) }]],
  [/^\/audit$/, () => items(events)],
  [/^\/users$/, () => items(users)],
  [/^\/groups$/, () => items([{ id: '01J0', name: 'main', title: 'Main', created: iso(t0) }, { id: '01J1', name: 'ward-7', title: 'Ward 7', created: iso(t0) }])],
  [/^\/tokens$/, () => items([{ id: '01TOK', name: 'ci', roles: ['service'], created: iso(t0), last_used: iso(Date.now() - 5e6) }])],
  [/^\/feedback$/, () => [200, { accepted: 1, known: 0, missing: 0 }]],
];

/** answers returns status and body for one request. */
export function answers(method, p, query, body, state) {
  if (p === '/health') return [200, { state: 'ready', ready: true, version: '0.1.0', setup: state.setup || undefined, demo: state.demo || undefined }];
  if (p === '/session') {
    state.signedIn = method === 'POST';
    return [method === 'POST' ? 200 : 204, method === 'POST' ? me : undefined];
  }
  if (!state.signedIn) return [401, { title: 'Unauthorized', status: 401, kind: 'unauthenticated', code: 'auth.required', detail: 'sign in first', request_id: '01HREQ' }];
  const hit = routes.find(([at]) => at.test(p));
  if (hit) return hit[1](query, p, body);
  return [404, { type: 'about:blank', title: 'Not Found', status: 404, kind: 'not_found', code: 'mock.not_found', detail: `the mock has no ${method} ${p}`, hint: 'add it to e2e/mock/answers.mjs', request_id: '01HREQ' }];
}
