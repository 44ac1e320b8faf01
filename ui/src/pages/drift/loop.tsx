import { Text, Timeline } from '@mantine/core';
import { rows, type DriftView } from '../../api/types';
import { num, short, step } from '../../parts/format';
import { Card, To } from '../../parts/page';
import { t, word } from '../../text';

const phases = ['watching', 'retraining', 'evaluating', 'shadow', 'approval', 'canary', 'promoting'];

/** A parameter for people: versions by number rather than digest, numbers without their tail, days without midnight. */
const said = (v: DriftView, p: string) =>
  p.startsWith('sha256:') ? String(v.versions?.[p] ?? short(p)) : /^-?\d+\.\d{3,}$/.test(p) ? num(Number(p), 2) : /^\d{4}-\d\d-\d\dT/.test(p) ? step(p) : p;

/** What the product does about an alarm: the phases of the loop, where it is, and how it came there, in words. */
export function Loop({ of: v }: { of: DriftView }) {
  const phase = v.loop.phase || 'watching';
  const at = phases.indexOf(phase);
  const shown = phases.filter((p) => p !== 'approval' || !v.loop.policy.unattended || phase === 'approval');
  const steps = [...rows(v.loop.transitions)].reverse();
  return (
    <Card title={t('drift.loop')}>
      <ol className="steps" aria-label={t('drift.phases')}>
        {shown.map((p, i) => (
          <li key={p} className={p === phase ? 'now' : at > phases.indexOf(p) ? 'done' : undefined} aria-current={p === phase ? 'step' : undefined}>
            <span aria-hidden>{at > phases.indexOf(p) ? '✓' : i + 1}</span>
            {word('phase', p)}
          </li>
        ))}
        {phase === 'cool_down' && <li className="now" aria-current="step"><span aria-hidden>…</span>{word('phase', phase)}</li>}
      </ol>
      <Text mt="sm">{word('phaseWhat', phase)}{phase === 'approval' && <> <To href="/candidates">{t('candidates.title')}</To></>}</Text>
      {steps.length > 0 && (
        <div style={{ marginTop: 16, maxHeight: 320, overflowY: 'auto' }} tabIndex={0} role="group" aria-label={t('drift.transitions')}>
          <Timeline bulletSize={14} lineWidth={2} active={-1}>
            {steps.map((x, i) => (
              <Timeline.Item key={steps.length - i} title={word('why', x.code)}>
                <Text size="sm" className="quiet">
                  {step(x.at)} · {word('phase', x.from || 'watching')} → {word('phase', x.to)}
                  {Object.entries(x.params ?? {}).map(([k, p]) => ` · ${k.replaceAll('_', ' ')} ${said(v, p)}`)}
                </Text>
              </Timeline.Item>
            ))}
          </Timeline>
        </div>
      )}
    </Card>
  );
}
