import type { ReactNode } from 'react';
import { Stack, Text, Title } from '@mantine/core';
import { Code } from './copy';

/** An empty list: what would be here, why one wants it, one button, one command line. */
export function Empty({ title, children, action, cli }: { title: string; children: ReactNode; action?: ReactNode; cli?: string }) {
  return (
    <section className="card">
      <Stack gap="sm" align="flex-start" maw={620}>
        <Title order={2}>{title}</Title>
        <Text className="quiet">{children}</Text>
        {action}
        {cli && <div style={{ width: '100%' }}><Code>{cli}</Code></div>}
      </Stack>
    </section>
  );
}
