import { Stack, Tabs, Text } from '@mantine/core';
import { useGet, useNode } from '../../api/queries';
import { rows, type EndpointView, type Snippets as Programs } from '../../api/types';
import { Code } from '../../parts/copy';
import { useMay, useWho } from '../../parts/may';
import { Card, To } from '../../parts/page';
import { Loaded } from '../../parts/trouble';
import { t } from '../../text';

/** How to ask this endpoint from elsewhere, ready to copy. The server writes the programs, the command line prints the same. */
export function Snippets({ of: e }: { of: EndpointView }) {
  const me = useWho();
  const may = useMay();
  const node = useNode(may('read', 'node'));
  const name = e.endpoint.name;
  const live = rows(e.spec.targets).find((x) => x.role === 'live');
  const programs = useGet<Programs>('endpoint', `/endpoints/${name}/snippets`, { url: location.origin }, { enabled: !!live, staleTime: 60_000 });
  const mqtt = rows(node.data?.listeners).find((l) => l.name === 'mqtt' && l.state === 'on')?.address ?? '127.0.0.1:1883';
  return (
    <Stack gap="md">
      <Card title={t('use.token')}>
        <Text size="sm" mb={8}>{t('use.tokenWhat')}</Text>
        <Code>{'export EDGEWARD_TOKEN=$(edgeward token create my-client --role service)'}</Code>
      </Card>
      <Card title={t('use.programs')}>
        {!live ? (
          <Text className="quiet">{t('use.notLive')}</Text>
        ) : (
          <Loaded query={programs} height={160}>
            {(p) => (
              <>
                <Text size="sm" mb={8}>{t('use.programsWhat')}</Text>
                <Tabs defaultValue={rows(p.items)[0]?.lang} keepMounted={false}>
                  <Tabs.List mb="sm">{rows(p.items).map((x) => <Tabs.Tab key={x.lang} value={x.lang}>{x.lang}</Tabs.Tab>)}</Tabs.List>
                  {rows(p.items).map((x) => (
                    <Tabs.Panel key={x.lang} value={x.lang}>
                      <Text size="sm" className="quiet" mb={6}>{x.title}{x.lang === 'mqtt' && <> · <To href={`/scoring?endpoint=${name}`}>{t('use.scoring')}</To></>}</Text>
                      <Code label={x.title}>{x.code}</Code>
                    </Tabs.Panel>
                  ))}
                </Tabs>
              </>
            )}
          </Loaded>
        )}
      </Card>
      <Card title={t('use.many')}>
        <Text size="sm">{t('use.manyWhat')} <To href={`/scoring?endpoint=${name}`}>{t('scoring.new')}</To></Text>
      </Card>
      <Card title={t('use.mqtt')}>
        <Text size="sm" mb={8}>{t('use.mqttWhat')}</Text>
        <Code>{`mosquitto_sub -h ${mqtt.split(':')[0]} -p ${mqtt.split(':')[1] ?? 1883} -t 'edgeward/v1/${me.site}/${me.node}/drift/${name}'`}</Code>
      </Card>
    </Stack>
  );
}
