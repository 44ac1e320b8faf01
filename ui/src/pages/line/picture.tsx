import { useEffect, useRef } from 'react';
import { rows, type Tensor } from '../../api/types';
import { t } from '../../text';

/** The picture that the model was asked about, drawn from the recorded input: [N,1,h,w], bytes or numbers. */
export function Picture({ of: x, label }: { of: Tensor | undefined; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shape = rows(x?.shape);
  const [h, w] = [shape[shape.length - 2] ?? 0, shape[shape.length - 1] ?? 0];
  const values = rows(x?.values).map(Number);
  const whole = h > 0 && w > 0 && values.length >= h * w;
  useEffect(() => {
    const c = canvas.current?.getContext('2d');
    if (!c || !whole) return;
    const white = x?.datatype === 'UINT8' ? 255 : values.reduce((a, b) => Math.max(a, b), 1e-9);
    const image = c.createImageData(w, h);
    for (let i = 0; i < h * w; i++) image.data.set([0, 1, 2].map(() => (255 * values[i]!) / white).concat(255), 4 * i);
    c.putImageData(image, 0, 0);
  });
  if (!whole) return <p className="quiet">{t('line.noPicture')}</p>;
  return <canvas ref={canvas} className="partpicture" width={w} height={h} role="img" aria-label={label} />;
}
