import { useState } from 'react';
import { Stack, Text, Textarea } from '@mantine/core';
import { Drop } from '../../parts/drop';
import { t } from '../../text';

/** The hub that a join code names, as people copy it; undefined for what is no code. */
export function hubOf(code: string): string | undefined {
  const text = code.replace(/\s/g, '');
  if (!text.startsWith('ew1-')) return undefined;
  try {
    const of = JSON.parse(atob(text.slice(4).replaceAll('-', '+').replaceAll('_', '/'))) as { h?: string[] };
    return of.h?.[0];
  } catch {
    return undefined;
  }
}

/** A join code, pasted or from a file such as on a stick; it says which hub it leads to. */
export function JoinCode({ code, set }: { code: string; set: (code: string) => void }) {
  const [wrong, setWrong] = useState('');
  const hub = hubOf(code);
  const take = async (f: File) => {
    if (f.name.endsWith('.edgebundle')) return setWrong(t('join.bundle'));
    if (f.size > 8192) return setWrong(t('join.noCode', { name: f.name }));
    const text = (await f.text()).trim();
    if (!hubOf(text)) return setWrong(t('join.noCode', { name: f.name }));
    setWrong('');
    set(text);
  };
  const change = (text: string) => {
    setWrong('');
    set(text);
  };
  return (
    <Stack gap="sm">
      <Textarea label={t('fleet.code')} description={t('fleet.codeWhat')} classNames={{ input: 'mono' }} autosize minRows={2} maxRows={6} value={code} onChange={(e) => change(e.currentTarget.value)} required
        error={code.trim() && !hub ? t('join.unreadable') : wrong || undefined} />
      {hub && <Text size="sm" role="status">{t('join.hub')} <span className="mono">{hub}</span></Text>}
      <Drop label={t('join.drop')} accept=".txt,text/plain,application/octet-stream,.edgebundle" take={(f) => void take(f)} />
    </Stack>
  );
}
