import { useEffect, useState } from 'react';
import { Modal, Table } from '@mantine/core';
import { Spotlight, spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import type { Dataset, EndpointView, List, Model } from '../api/types';
import { rows } from '../api/types';
import { get } from '../api/client';
import { IconSearch } from '../parts/icons';
import { t } from '../text';
import { places } from './places';

/** Ctrl-K: pages, data sets, models and endpoints by name. And the two-letter keys, listed by "?". */
export default function Palette() {
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const [found, setFound] = useState<SpotlightActionData[]>([]);
  const [help, setHelp] = useState(false);

  const look = async () => {
    const list = async <A,>(noun: string, path: string) =>
      rows((await client.fetchQuery<List<A>>({ queryKey: [noun, path, { limit: 500 }], queryFn: () => get(path, { limit: 500 }), staleTime: 10_000 }).catch(() => ({ items: [] as A[] }))).items);
    const [data, models, endpoints] = await Promise.all([list<Dataset>('dataset', '/datasets'), list<Model>('model', '/models'), list<EndpointView>('endpoint', '/endpoints')]);
    const go = (id: string, label: string, description: string): SpotlightActionData => ({ id, label, description, onClick: () => navigate(id) });
    setFound([
      ...data.map((d) => go(`/data/${d.name}`, d.name, t('data.one'))),
      ...models.map((m) => go(`/models/${m.name}`, m.name, t('models.one'))),
      ...endpoints.flatMap((e) => [
        go(`/endpoints/${e.endpoint.name}`, e.endpoint.name, t('endpoints.one')),
        go(`/drift/${e.endpoint.name}`, e.endpoint.name, t('drift.title')),
      ]),
    ]);
  };

  useEffect(() => {
    const open = () => {
      void look();
      spotlight.open();
    };
    const keys = () => setHelp(true);
    let first = '';
    let timer = 0;
    const press = (e: KeyboardEvent) => {
      const el = e.target as HTMLElement;
      if (e.ctrlKey || e.metaKey) {
        if (e.key === 'k') {
          e.preventDefault();
          open();
        }
        return;
      }
      if (e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) || el.isContentEditable) return;
      if (e.key === '?') return setHelp(true);
      const place = places.flatMap((p) => p.items).find((p) => p.keys === `${first} ${e.key}`);
      first = e.key;
      clearTimeout(timer);
      timer = window.setTimeout(() => (first = ''), 900);
      if (place) navigate(place.to);
      return undefined;
    };
    window.addEventListener('edgeward:palette', open);
    window.addEventListener('edgeward:keys', keys);
    window.addEventListener('keydown', press);
    return () => {
      window.removeEventListener('edgeward:palette', open);
      window.removeEventListener('edgeward:keys', keys);
      window.removeEventListener('keydown', press);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const pages: SpotlightActionData[] = places.flatMap((p) => p.items).map((p) => ({ id: p.to, label: t(p.label), description: t('palette.page'), onClick: () => navigate(p.to), leftSection: <p.icon size={19} stroke={1.6} /> }));
  return (
    <>
      <Spotlight
        actions={[...pages, ...found.map((f) => ({ ...f, id: 'o' + f.id + f.description }))]}
        shortcut={null}
        nothingFound={t('palette.nothing')}
        highlightQuery
        scrollable
        maxHeight={420}
        limit={20}
        searchProps={{ placeholder: t('palette.hint'), 'aria-label': t('palette.hint'), leftSection: <IconSearch size={18} /> }}
      />
      <Modal opened={help} onClose={() => setHelp(false)} title={t('keys.title')} closeButtonProps={{ 'aria-label': t('action.close') }}>
        <Table>
          <Table.Tbody>
            {[['Ctrl K', t('palette.open')], ['?', t('keys.title')], ...places.flatMap((p) => p.items).map((p) => [p.keys, t(p.label)])].map(([k, label]) => (
              <Table.Tr key={k}>
                <Table.Td w={110}>{k!.split(' ').map((x) => <kbd key={x} style={{ marginInlineEnd: 4 }}>{x}</kbd>)}</Table.Td>
                <Table.Td>{label}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Modal>
    </>
  );
}
