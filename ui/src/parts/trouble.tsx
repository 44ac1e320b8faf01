import type { ReactNode } from 'react';
import { Alert, Button, CopyButton, Group, Skeleton, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { UseQueryResult } from '@tanstack/react-query';
import { Refused } from '../api/client';
import { rows } from '../api/types';
import { has, refusal, t } from '../text';
import { IconAlert } from './icons';
import { Page } from './page';

interface Failure { code?: string; detail?: string; hint?: string }

/**
 * A failure in the reader's language. Where the words are ours by its code, exact is what the server said: it names the
 * line, the column, the version.
 */
export function told({ code, detail, hint }: Failure): { what: string; hint?: string; exact?: string } {
  const key = `error.${code ?? ''}`;
  if (has(key)) return { what: t(key), hint };
  const ours = refusal(code);
  if (!ours) return { what: detail ?? t('error.unknown'), hint };
  return { what: ours.what, hint: ours.hint || undefined, exact: detail };
}

const failureOf = (e: unknown): Failure => (e instanceof Refused ? { ...e.problem, detail: e.problem.detail ?? e.problem.title } : { detail: e instanceof Error ? e.message : String(e) });

/** An error as a person needs it: what happened, what to do, and the id to give to whoever looks into the log. */
export function Trouble({ error, again }: { error: unknown; again?: () => void }) {
  if (!error) return null;
  const p = error instanceof Refused ? error.problem : {};
  const words = told(failureOf(error));
  return (
    <Alert color="red" icon={<IconAlert size={20} />} title={words.what} role="alert" styles={{ title: { fontWeight: 600 } }}>
      <Stack gap={6}>
        {words.hint && <Text size="sm">{words.hint}</Text>}
        {words.exact && <Exact>{words.exact}</Exact>}
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

/** The server's own words, which are English. */
export const Exact = ({ children }: { children: string }) => <Text size="sm" className="mono" lang="en">{children}</Text>;

/** The answer of a query, or its loading state, or its trouble. An answer that is there stays while a refresh fails. page is the title where the answer is a whole page. */
export function Loaded<A>({ query, children, height = 120, page }: { query: UseQueryResult<A, Refused>; children: (a: A) => ReactNode; height?: number; page?: string }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) {
    const trouble = <Trouble error={query.error} again={() => void query.refetch()} />;
    return page ? <Page title={page}>{trouble}</Page> : trouble;
  }
  return <Skeleton height={height} aria-label={t('page.loading')} role="status" />;
}

/** Says that an action succeeded. */
export const done = (message: string) => notifications.show({ message, color: 'green', autoClose: 4000, closeButtonProps: { 'aria-label': t('action.close') } });
