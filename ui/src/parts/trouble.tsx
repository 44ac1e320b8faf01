import type { ReactNode } from 'react';
import { Alert, Button, CopyButton, Group, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { UseQueryResult } from '@tanstack/react-query';
import { Refused } from '../api/client';
import { rows } from '../api/types';
import { has, t } from '../text';
import { IconAlert } from './icons';

/** What happened, in the reader's language where we know the code. */
export function said(e: unknown): string {
  if (!(e instanceof Refused)) return e instanceof Error ? e.message : String(e);
  const key = `error.${e.problem.code ?? ''}`;
  return has(key) ? t(key, e.problem.params) : (e.problem.detail ?? e.problem.title ?? t('error.unknown'));
}

/** An error as a person needs it: what happened, what to do, and the id to give to whoever looks into the log. */
export function Trouble({ error, again }: { error: unknown; again?: () => void }) {
  if (!error) return null;
  const p = error instanceof Refused ? error.problem : {};
  return (
    <Alert color="red" icon={<IconAlert size={20} />} title={said(error)} role="alert" styles={{ title: { fontWeight: 600 } }}>
      <Stack gap={6}>
        {p.hint && <Text size="sm">{p.hint}</Text>}
        {rows(p.errors).map((f, i) => (
          <Text size="sm" key={i}><span className="mono">{f.location}</span> {f.message}</Text>
        ))}
        <Group gap="xs">
          {again && <Button size="compact-sm" variant="default" onClick={again}>{t('action.again')}</Button>}
          {p.request_id && (
            <CopyButton value={p.request_id}>
              {({ copied, copy }) => (
                <Button size="compact-sm" variant="default" onClick={copy}>
                  {copied ? t('action.copied') : <>{t('error.request')} <span className="mono" style={{ marginInlineStart: 6 }}>{p.request_id}</span></>}
                </Button>
              )}
            </CopyButton>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

/** The answer of a query, or its loading state, or its trouble. An answer that is there stays while a refresh fails. */
export function Loaded<A>({ query, children, height = 120 }: { query: UseQueryResult<A, Refused>; children: (a: A) => ReactNode; height?: number }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Trouble error={query.error} again={() => void query.refetch()} />;
  return <Skeleton height={height} aria-label={t('page.loading')} role="status" />;
}

/** Says that an action succeeded. */
export const done = (message: string) => notifications.show({ message, color: 'green', autoClose: 4000, closeButtonProps: { 'aria-label': t('action.close') } });
