import { useState } from 'react';
import { Group, Stack, Tabs, Text } from '@mantine/core';
import { Link, useLocation } from 'wouter';
import { useMutation } from '@tanstack/react-query';
import { remove, save, type Refused } from '../../api/client';
import { useAct, useEndpoint } from '../../api/queries';
import { Ask } from '../../parts/ask';
import { MayButton } from '../../parts/may';
import { DemoMark, Page, State } from '../../parts/page';
import { Loaded, Trouble } from '../../parts/trouble';
import { t, word } from '../../text';
import { Compared } from './compared';
import { Deployment } from './deployment';
import { Choices } from './choice';
import { FleetOf } from './fleet';
import { Limits } from './limits';
import { Predictions } from './predictions';
import { Snippets } from './snippets';
import { Observed, Right } from './state';
import { Traffic } from './traffic';
import { TryIt } from './tryit';

/** One endpoint: what is wanted, what is observed, what it did, and how to ask it. */
export default function Endpoint({ name }: { name: string }) {
  const q = useEndpoint(name);
  const [removing, setRemoving] = useState(false);
  const [, navigate] = useLocation();
  const gone = useAct(() => remove(`/endpoints/${name}`), 'endpoint', 'model', 'forecast');
  const image = useMutation<void, Refused, number>({ mutationFn: (version) => save(`/endpoints/${name}/image`, `${name}-${version}.oci.tar`) });
  return (
    <Loaded query={q} page={name} height={300}>
      {(e) => (
        <Page
          title={e.endpoint.title || e.endpoint.name}
          crumbs={[[t('endpoints.title'), '/endpoints']]}
          marks={
            <>
              <State of={e.status.state} />
              {e.drift && <Link href={`/drift/${name}`} aria-label={`${t('drift.title')}: ${word('drift', e.drift)}`}><State of={e.drift} kind="drift" /></Link>}
              <DemoMark on={e.endpoint.demo} />
            </>
          }
          intro={e.endpoint.description || (e.endpoint.title ? e.endpoint.name : undefined)}
        >
          <Tabs defaultValue="state" keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="state">{t('endpoint.now')}</Tabs.Tab>
              <Tabs.Tab value="try">{t('endpoint.try')}</Tabs.Tab>
              <Tabs.Tab value="predictions">{t('endpoints.predictions')}</Tabs.Tab>
              <Tabs.Tab value="use">{t('endpoint.use')}</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="state">
              <Stack gap="md">
                <FleetOf of={e} />
                <Deployment of={e} />
                <Compared of={e} />
                <Traffic of={e} at={q.dataUpdatedAt} />
                <Right of={e} />
                <Limits of={e} />
                <Choices of={e} />
                <Observed of={e} />
                <Trouble error={image.error} />
                <Group>
                  <MayButton verb="export" on="model" variant="default" onClick={() => image.mutate(e.status.live ?? 0)} loading={image.isPending} why={e.status.live ? undefined : t('endpoint.imageNone')}>{t('endpoint.image')}</MayButton>
                  <MayButton verb="delete" on="endpoint" variant="default" onClick={() => setRemoving(true)}>{t('endpoint.remove')}</MayButton>
                </Group>
              </Stack>
            </Tabs.Panel>
            <Tabs.Panel value="try"><TryIt of={e} /></Tabs.Panel>
            <Tabs.Panel value="predictions"><Predictions of={e} /></Tabs.Panel>
            <Tabs.Panel value="use"><Snippets of={e} /></Tabs.Panel>
          </Tabs>
          <Ask
            title={t('endpoint.remove')}
            open={removing}
            close={() => setRemoving(false)}
            optional
            danger
            go={t('action.remove')}
            cli={() => `edgeward endpoint remove ${name}`}
            act={async () => {
              await gone.mutateAsync(undefined as never);
              navigate('/endpoints');
            }}
          >
            <Text>{t('endpoint.removeWhat', { name })}</Text>
          </Ask>
        </Page>
      )}
    </Loaded>
  );
}
