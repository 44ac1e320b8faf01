import { rows, type ScoringRequest } from '../../api/types';

const quoted = (s: string) => (/^[\w./:=-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`);

/** The commands that make this scoring, and run it: with the file of this name, or none. */
export function command(q: ScoringRequest, run: string | boolean): string {
  const { source: s } = q;
  const parts: [flag: string, value: string | number | boolean | undefined][] = [
    ['endpoint', q.endpoint || 'NAME'],
    ['version', q.version],
    ['data', s.kind === 'data_set' && (s.data_set || 'DATA') + (s.version ? `/${s.version}` : '')],
    ['file', s.kind === 'file'],
    ['mqtt', s.kind === 'mqtt'],
    ['topic', s.topic],
    ['time', q.time],
    ['series', q.series],
    ['target', q.target],
    ...Object.entries(q.columns ?? {}).map(([f, c]) => ['column', `${f}=${c}`] as [string, string]),
    ['history', q.history],
    ['format', q.format],
    ['max-failed', q.max_failed],
    ...rows(q.sinks).map((k) => ['to', k.name ? `${k.kind}:${k.name}` : k.kind] as [string, string]),
    ['schedule', q.schedule],
    ['zone', q.zone],
  ];
  const flags = parts.flatMap(([flag, v]) => (v === true ? [`--${flag}`] : v ? [`--${flag}`, quoted(String(v))] : []));
  const name = q.name || 'NAME';
  return `edgeward score create ${[name, ...flags].join(' ')}${run ? `\nedgeward score run ${name}${run === true ? '' : ` --file ${quoted(run)}`}` : ''}`;
}
