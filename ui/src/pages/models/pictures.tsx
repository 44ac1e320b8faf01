import { useState } from 'react';
import { Checkbox, Group, NumberInput, Select, Text, TextInput } from '@mantine/core';
import type { Manifest } from '../../api/types';
import { rows } from '../../api/types';
import { Card, Facts } from '../../parts/page';
import { t } from '../../text';

type Mode = 'exact' | 'shortest' | 'letterbox' | 'none';

interface Said { mode: Mode; side: number; crop: number; filter: string; colour: string; unit: boolean; mean: string; std: string }

const first: Said = { mode: 'exact', side: 256, crop: 224, filter: 'bilinear', colour: '', unit: true, mean: '', std: '' };

const numbers = (s: string) => s.split(/[\s,;:]+/).filter(Boolean).join(':');

/** The short form of a declaration, as the command line takes it; default where nothing is said. */
const short = (s: Said) =>
  [
    { exact: '', shortest: `resize=${s.side},crop=${s.crop}`, letterbox: 'resize=letterbox', none: 'resize=none' }[s.mode],
    s.mode !== 'none' && s.filter !== 'bilinear' ? `filter=${s.filter}` : '',
    s.colour ? `colour=${s.colour}` : '',
    s.unit ? 'scale=1/255' : '',
    s.mean ? `mean=${numbers(s.mean)}` : '',
    s.std ? `std=${numbers(s.std)}` : '',
  ].filter(Boolean).join(',') || 'default';

/** How pictures become the model's input; undefined where they do not. */
export function DeclarePictures({ value, set }: { value?: string; set: (v?: string) => void }) {
  const [said, setSaid] = useState(first);
  const change = (part: Partial<Said>) => {
    const next = { ...said, ...part };
    setSaid(next);
    set(short(next));
  };
  return (
    <div>
      <Checkbox label={t('pictures.takes')} description={t('pictures.takesWhat')} checked={value !== undefined} onChange={(e) => set(e.currentTarget.checked ? short(said) : undefined)} />
      {value !== undefined && (
        <Group align="flex-start" gap="md" mt="sm" role="group" aria-label={t('pictures.title')}>
          <Select label={t('pictures.resize')} data={(['exact', 'shortest', 'letterbox', 'none'] as const).map((m) => ({ value: m, label: t(`pictures.${m}`) }))} value={said.mode} onChange={(m) => m && change({ mode: m as Mode })} allowDeselect={false} w={250} />
          {said.mode === 'shortest' && <NumberInput label={t('pictures.side')} value={said.side} min={1} max={8192} onChange={(n) => change({ side: Number(n) })} w={120} />}
          {said.mode === 'shortest' && <NumberInput label={t('pictures.crop')} value={said.crop} min={1} max={8192} onChange={(n) => change({ crop: Number(n) })} w={120} />}
          {said.mode !== 'none' && <Select label={t('pictures.filter')} data={['nearest', 'linear', 'bilinear', 'bicubic', 'area']} value={said.filter} onChange={(f) => f && change({ filter: f })} allowDeselect={false} w={130} />}
          <Select label={t('pictures.colour')} data={[{ value: '', label: t('pictures.byShape') }, 'rgb', 'bgr', 'grey']} value={said.colour} onChange={(c) => change({ colour: c ?? '' })} allowDeselect={false} w={220} />
          <Select label={t('pictures.scale')} data={[{ value: '1', label: '0 – 1' }, { value: '', label: '0 – 255' }]} value={said.unit ? '1' : ''} onChange={(u) => change({ unit: u === '1' })} allowDeselect={false} w={120} />
          <TextInput label={t('pictures.mean')} value={said.mean} onChange={(e) => change({ mean: e.currentTarget.value })} placeholder="0.485 0.456 0.406" w={180} />
          <TextInput label={t('pictures.std')} value={said.std} onChange={(e) => change({ std: e.currentTarget.value })} placeholder="0.229 0.224 0.225" w={180} />
        </Group>
      )}
    </div>
  );
}

/** What a version declares. */
export function Pictures({ of: m }: { of: Manifest }) {
  const all = rows(m.preprocessing);
  if (all.length === 0) return null;
  return (
    <Card title={t('pictures.title')}>
      <Text size="sm" mb={8}>{t('pictures.what')}</Text>
      {all.map((p) => (
        <Facts
          key={p.input}
          of={[
            [t('pictures.input'), p.input],
            [t('pictures.colour'), `${p.colour}, ${p.layout}`],
            [t('pictures.resize'), [t(`pictures.${p.resize.mode as Mode}`), p.resize.side ?? (p.resize.height ? `${p.resize.height} × ${p.resize.width}` : ''), p.resize.filter].filter(Boolean).join(', ')],
            [t('pictures.crop'), p.crop ? `${p.crop.height} × ${p.crop.width}` : undefined],
            [t('pictures.scale'), p.scale === 1 ? '0 – 255' : `× ${p.scale}`],
            [t('pictures.mean'), rows(p.mean).join(' ') || undefined],
            [t('pictures.std'), rows(p.std).join(' ') || undefined],
          ]}
        />
      ))}
    </Card>
  );
}
