import { Stack, Text } from '@mantine/core';
import { useNode, useVersion } from '../../api/queries';
import { rows, type EndpointView, type TensorSpec } from '../../api/types';
import { Code } from '../../parts/copy';
import { useMay, useWho } from '../../parts/may';
import { Card } from '../../parts/page';
import { t } from '../../text';

const width = (s: TensorSpec) => rows(s.shape).map((d) => (d < 0 ? 1 : d));
const count = (s: TensorSpec) => width(s).reduce((a, b) => a * b, 1);

/** How to ask this endpoint from elsewhere, ready to copy. */
export function Snippets({ of: e }: { of: EndpointView }) {
  const me = useWho();
  const may = useMay();
  const node = useNode(may('read', 'node'));
  const live = e.status.live || rows(e.spec.targets)[0]?.version || 0;
  const version = useVersion(e.endpoint.model, live);
  const spec = rows(version.data?.manifest.signature.inputs)[0];
  const url = location.origin;
  const name = e.endpoint.name;
  const row = Object.fromEntries(rows(e.fields).filter((f) => f.kind !== 'tensor').map((f) => [f.name, f.example ?? (f.kind === 'category' ? (rows(f.choices)[0] ?? null) : 0)]));
  const mqtt = rows(node.data?.listeners).find((l) => l.name === 'mqtt' && l.state === 'on')?.address ?? '127.0.0.1:1883';
  const auth = '-H "Authorization: Bearer $EDGEWARD_TOKEN"';
  return (
    <Stack gap="md">
      <Card title={t('use.token')}>
        <Text size="sm" mb={8}>{t('use.tokenWhat')}</Text>
        <Code>{'export EDGEWARD_TOKEN=$(edgeward token create my-client --role service)'}</Code>
      </Card>
      {Object.keys(row).length > 0 && (
        <Card title={t('use.fields')}>
          <Code>{`curl ${url}/api/v1/endpoints/${name}/predict ${auth} \\\n  -H 'Content-Type: application/json' -d '${JSON.stringify({ rows: [row] })}'`}</Code>
        </Card>
      )}
      {spec && (
        <>
          <Card title={t('use.oip')}>
            <Text size="sm" mb={8}>{t('use.oipWhat')}</Text>
            <Code>{`curl ${url}/v2/models/${name}/infer ${auth} \\\n  -d '{"inputs":[{"name":"${spec.name}","datatype":"${spec.datatype}","shape":${JSON.stringify(width(spec))},"data":[${new Array(Math.min(count(spec), 12)).fill('0').join(',')}${count(spec) > 12 ? ',…' : ''}]}]}'`}</Code>
          </Card>
          <Card title="Python, tritonclient">
            <Code>{`import os, numpy as np, tritonclient.http as http

client = http.InferenceServerClient("${location.host}", ssl=${location.protocol === 'https:' ? 'True' : 'False'})
x = http.InferInput("${spec.name}", ${JSON.stringify(width(spec))}, "${spec.datatype}")
x.set_data_from_numpy(np.zeros(${JSON.stringify(width(spec))}, np.float32))
answer = client.infer("${name}", [x], headers={"Authorization": "Bearer " + os.environ["EDGEWARD_TOKEN"]})
print(answer.get_response())`}</Code>
          </Card>
          <Card title="Go">
            <Code>{`body := strings.NewReader(\`{"inputs":[{"name":"${spec.name}","datatype":"${spec.datatype}","shape":${JSON.stringify(width(spec))},"data":[…]}]}\`)
req, _ := http.NewRequest("POST", "${url}/v2/models/${name}/infer", body)
req.Header.Set("Authorization", "Bearer "+os.Getenv("EDGEWARD_TOKEN"))
resp, err := http.DefaultClient.Do(req)`}</Code>
          </Card>
        </>
      )}
      <Card title={t('use.mqtt')}>
        <Text size="sm" mb={8}>{t('use.mqttWhat')}</Text>
        <Code>{`mosquitto_sub -h ${mqtt.split(':')[0]} -p ${mqtt.split(':')[1] ?? 1883} -t 'edgeward/v1/${me.site}/${me.node}/drift/${name}'`}</Code>
      </Card>
    </Stack>
  );
}
