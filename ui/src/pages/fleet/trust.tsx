import { Alert, Stack, Table, Text } from '@mantine/core';
import { rows, type FleetView } from '../../api/types';
import { Twin } from '../../parts/copy';
import { day, short } from '../../parts/format';
import { Card } from '../../parts/page';
import { t } from '../../text';

const renewed = ['root', 'targets', 'models', 'revoked', 'release']; // by persons; the others by the hub itself
const soon = 60 * 24 * 3600 * 1000;

/** Who may sign, until when the signed files are valid, and what is revoked. Changes are made where the keys are: on the command line. */
export function Trust({ fleet }: { fleet: FleetView }) {
  const roles = [{ name: t('fleet.roleRoot'), of: fleet.charter?.root }, { name: t('fleet.roleModels'), of: fleet.charter?.models },
    ...(rows(fleet.charter?.release?.holders).length > 0 ? [{ name: t('fleet.roleRelease'), of: fleet.charter?.release }] : [])];
  const first = rows(fleet.files).filter((f) => renewed.includes(f.role)).sort((a, b) => a.expires.localeCompare(b.expires))[0];
  const late = first && Date.parse(first.expires) - Date.now() < soon;
  return (
    <Card title={t('fleet.trust')}>
      <Stack gap="sm">
        {roles.map(({ name, of }) => (
          <Text key={name}>{t('fleet.mustSign', { what: name, n: of?.threshold ?? 0, who: rows(of?.holders).map((h) => h.name).join(', ') })}</Text>
        ))}
        {first && late && (
          <Alert color="orange" title={t('fleet.renewSoon', { day: day(first.expires) })}>
            {t('fleet.renewWhat')}
            <Twin>{'edgeward fleet trust renew --key FILE'}</Twin>
          </Alert>
        )}
        {first && !late && <Text size="sm" className="quiet">{t('fleet.validUntil', { day: day(first.expires) })}</Text>}
        {rows(fleet.revoked).length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={t('fleet.revokedVersion')}>
            <Table miw={480}>
              <Table.Thead><Table.Tr><Table.Th>{t('fleet.revokedVersion')}</Table.Th><Table.Th>{t('col.why')}</Table.Th></Table.Tr></Table.Thead>
              <Table.Tbody>
                {rows(fleet.revoked).map((r) => {
                  const v = rows(fleet.signed).find((s) => s.manifest === r.manifest);
                  return <Table.Tr key={r.manifest}><Table.Td>{v ? `${v.model}/${v.version}` : <span className="mono">{short(r.manifest)}</span>}</Table.Td><Table.Td>{r.reason}</Table.Td></Table.Tr>;
                })}
              </Table.Tbody>
            </Table>
          </div>
        )}
        <Twin>{'edgeward fleet trust show\nedgeward fleet trust revoke MODEL/VERSION --reason WHY --key FILE\nedgeward fleet trust amend --remove models:NAME --add models:NAME=KEY --key root.key'}</Twin>
      </Stack>
    </Card>
  );
}
