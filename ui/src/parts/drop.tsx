import { useId, useRef, useState } from 'react';
import { Button, Progress, Text } from '@mantine/core';
import { t } from '../text';
import { percent } from './format';
import { IconUpload } from './icons';

/** A place to drop one file, and a button for who does not drag. */
export function Drop({ label, accept, take }: { label: string; accept: string; take: (f: File) => void }) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  return (
    <div
      className={`drop${over ? ' over' : ''}`}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        const f = e.dataTransfer.files[0];
        if (f) take(f);
      }}
    >
      <IconUpload size={26} stroke={1.5} />
      <Text id={id} fw={600} my={6}>{label}</Text>
      <Button variant="default" size="xs" onClick={() => input.current?.click()} aria-describedby={id}>{t('drop.choose')}</Button>
      <input
        ref={input}
        type="file"
        accept={accept}
        hidden
        aria-hidden
        tabIndex={-1}
        onChange={(e) => {
          const f = e.currentTarget.files?.[0];
          if (f) take(f);
          e.currentTarget.value = '';
        }}
      />
    </div>
  );
}

/** How far an upload is, nothing while none is under way; then is what the server does once it has all. */
export function Sending({ share, then }: { share: number | undefined; then?: string }) {
  if (share === undefined) return null;
  const over = share >= 1 && then;
  return (
    <div role="status">
      <Progress value={share * 100} animated={!!over} aria-label={t('data.uploading')} />
      <Text size="sm" className="quiet">{over || `${t('data.uploading')} · ${percent(share)}`}</Text>
    </div>
  );
}

/** A name by the product's grammar made from a file's. */
export const nameFrom = (file: string) =>
  file
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 63) || 'my-data';

export const isName = (s: string) => s.length <= 63 && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(s);

/** The column names in the first line of a CSV file, as many as its first 64 KiB tell; none for another format. */
export async function columnsOf(f: File): Promise<string[]> {
  const head = await f.slice(0, 65536).text();
  if (head.startsWith('PAR1')) return [];
  const line = head.split(/\r?\n/)[0] ?? '';
  const mark = [',', ';', '\t', '|'].reduce((a, b) => (line.split(b).length > line.split(a).length ? b : a));
  return line.split(mark).map((c) => c.trim().replace(/^"|"$/g, '')).filter(Boolean);
}
