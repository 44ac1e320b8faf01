import { useState } from 'react';
import { Center, Loader, MantineProvider, Stack } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { Redirect, useLocation } from 'wouter';
import { group, Refused } from './api/client';
import { useHealth, useMe } from './api/queries';
import { MeProvider } from './parts/may';
import { Trouble } from './parts/trouble';
import { Login } from './pages/signin/login';
import { Setup } from './pages/signin/setup';
import { Shell } from './shell/shell';
import { useLanguage } from './text';
import { theme, variables } from './theme';

/** A refusal for good is not asked again; what the network or a busy server did is, twice. */
const worthAnother = (count: number, e: Error) => count < 2 && e instanceof Refused && (e.status === 0 || e.status >= 500 || e.status === 429);

export function App() {
  const [client] = useState(() => {
    // Who is not signed in any more learns it at the first refusal, not at the next look at who he is.
    const queryCache = new QueryCache({ onError: (e, q) => void (e instanceof Refused && e.status === 401 && q.queryKey[0] !== 'me' && client.resetQueries({ queryKey: ['me'] })) });
    const client: QueryClient = new QueryClient({ queryCache, defaultOptions: { queries: { retry: worthAnother, staleTime: 1000, refetchOnWindowFocus: true } } });
    return client;
  });
  const language = useLanguage();
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={variables}>
      <QueryClientProvider client={client}>
        <Notifications position="bottom-right" limit={3} />
        <Door key={language} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

/** Decides what a visitor sees: set-up, sign-in or the product. */
function Door() {
  const [at] = useLocation();
  const health = useHealth();
  const me = useMe(at !== '/setup');
  if (at === '/setup') return <Setup open={health.data && !!health.data.setup} />;
  if (me.data) {
    if (at === '/login') return <Redirect to="/" replace />;
    return <MeProvider value={me.data}><Shell demo={health.data && !!health.data.demo} /></MeProvider>;
  }
  if (me.error?.status === 401) {
    if (health.data?.setup) return <Setup open />;
    return <Login then={at === '/login' ? '/' : at} />;
  }
  if (me.error && group.get() && [403, 404].includes(me.error.status)) {
    group.set(''); // the group chosen last is gone, or we are out of it
    void me.refetch();
  }
  return (
    <Center mih="100vh" p="md">
      {me.error ? <Stack maw={520}><Trouble error={me.error} again={() => void me.refetch()} /></Stack> : <Loader aria-label="edgeward" />}
    </Center>
  );
}
