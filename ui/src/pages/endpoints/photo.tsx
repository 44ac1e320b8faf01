import { useEffect, useState } from 'react';
import { Text } from '@mantine/core';
import type { Field } from '../../api/types';
import { Drop } from '../../parts/drop';
import { bytes } from '../../parts/format';
import { t } from '../../text';

/** A picture to ask with. What is set is its base64: the server prepares it as the version declares. */
export function Photo({ of: f, set }: { of: Field; set: (base64: string) => void }) {
  const [file, setFile] = useState<File>();
  const [url, setURL] = useState<string>();
  useEffect(() => () => { if (url) URL.revokeObjectURL(url); }, [url]);
  const take = (x: File) => {
    setFile(x);
    setURL(URL.createObjectURL(x));
    const reader = new FileReader();
    reader.onload = () => set(String(reader.result).split(',')[1] ?? '');
    reader.readAsDataURL(x);
  };
  return (
    <div style={{ gridColumn: '1 / -1' }}>
      <Text size="sm" fw={500}>{f.name}</Text>
      <Text size="xs" className="quiet" mb={6}>{t('photo.what', { how: f.image ?? '' })}</Text>
      <Drop label={t('photo.drop')} accept="image/jpeg,image/png" take={take} />
      {file && url && (
        <figure style={{ margin: '8px 0 0' }}>
          <img src={url} alt={t('photo.alt', { name: file.name })} style={{ maxWidth: '100%', maxHeight: 260 }} />
          <Text component="figcaption" size="xs" className="quiet">{file.name} · {bytes(file.size)}</Text>
        </figure>
      )}
    </div>
  );
}
