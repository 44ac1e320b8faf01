import { useEffect, type ReactNode } from 'react';
import { Center, Group, Title } from '@mantine/core';

/** The frame of the pages before sign-in. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · edgeward`;
  }, [title]);
  return (
    <Center mih="100vh" p="md" component="main">
      <div className="card" style={{ width: '100%', maxWidth: 440, padding: 28 }}>
        <Group gap="sm" mb="lg">
          <img src="/icon.svg" alt="" width={34} height={34} />
          <Title order={1} fz="1.3rem">{title}</Title>
        </Group>
        {children}
      </div>
    </Center>
  );
}
