// A runtime pack for journeys: the ONNX Runtime that the program unpacked for itself, said to be another one for the processor.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const sum = (b) => `sha256:${createHash('sha256').update(b).digest('hex')}`;

/** A zstd frame of blocks that are not compressed: Node 20 has no zstd. */
function frame(b) {
  const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0])]; // one segment, its size in four bytes
  parts[0].writeUInt32LE(b.length, 5);
  const most = 1 << 17;
  for (let i = 0; i < b.length; i += most) {
    const block = b.subarray(i, i + most);
    const head = Buffer.alloc(3);
    head.writeUIntLE((block.length << 3) | (i + most >= b.length ? 1 : 0), 0, 3);
    parts.push(head, block);
  }
  return Buffer.concat(parts);
}

/** One file of a tar archive. */
function entry(name, b) {
  const h = Buffer.alloc(512);
  h.write(name, 0);
  h.write('0000644\0', 100);
  h.write(`${b.length.toString(8).padStart(11, '0')}\0`, 124);
  h.write('00000000000\0        0', 136);
  h.write('ustar\x0000', 257);
  h.write(`${h.reduce((a, x) => a + x, 0).toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([h, b, Buffer.alloc(-b.length & 511)]);
}

/** Writes the pack to a file and tells its digest. data is the data directory of a server that has loaded an ONNX model. */
export function pack(data, to) {
  const found = fs.readdirSync(path.join(data, 'native'), { recursive: true }).filter((f) => path.basename(f).startsWith('libonnxruntime'));
  const files = found.map((f) => ({ name: path.basename(f), raw: fs.readFileSync(path.join(data, 'native', f)) })).map((f) => ({ ...f, packed: frame(f.raw) }));
  const index = {
    format: 1, name: 'onnxruntime-again', version: '1.31.1', platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`, engine: 'onnxruntime', devices: ['CPU'],
    library: files.find((f) => f.name.startsWith('libonnxruntime.so')).name,
    files: files.map((f) => ({ name: f.name, digest: sum(f.raw), size: f.raw.length, packed: f.packed.length })), licences: [],
  };
  const all = Buffer.concat([entry('pack.json', Buffer.from(JSON.stringify(index))), ...files.map((f) => entry(`${f.name}.zst`, f.packed)), Buffer.alloc(1024)]);
  fs.writeFileSync(to, all);
  return sum(all);
}
