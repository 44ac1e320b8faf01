import { keepPreviousData, useMutation, useQuery, useQueryClient, type UseQueryOptions } from '@tanstack/react-query';
import * as api from './client';
import type * as T from './types';

// Every query key starts with the noun that src/api/live.ts invalidates by.

type More<A> = Omit<UseQueryOptions<A, api.Refused>, 'queryKey' | 'queryFn'>;

/** useGet is a GET whose key is its noun and its path. */
export function useGet<A>(noun: string, path: string, query: Record<string, string | number | boolean | undefined> = {}, more: More<A> = {}) {
  return useQuery<A, api.Refused>({
    queryKey: [noun, path, query],
    queryFn: ({ signal }) => api.get<A>(path, query, signal),
    ...more,
  });
}

const every = (ms: number) => ({ refetchInterval: ms });

export const useHealth = () => useGet<T.Health>('health', '/health', {}, every(10_000));
export const useMe = (enabled = true) => useGet<T.Me>('me', '/me', {}, { enabled, retry: false, staleTime: 60_000 });
export const useOverview = () => useGet<T.Overview>('overview', '/overview', {}, every(3000));
export const useDemo = (enabled: boolean) =>
  useGet<T.DemoStatus>('demo', '/demo', {}, { enabled, refetchInterval: (q) => (q.state.data?.running ? 1000 : 15_000) });

export const useDatasets = () => useGet<T.List<T.Dataset>>('dataset', '/datasets', { limit: 500 });
export const useDataset = (name: string) => useGet<T.Dataset>('dataset', `/datasets/${name}`);
export const useDatasetVersions = (name: string, enabled = true) => useGet<T.List<T.DatasetVersion>>('dataset', `/datasets/${name}/versions`, {}, { enabled });
export const useProfile = (name: string, n: number | undefined) =>
  useGet<T.ProfileView>('dataset', `/datasets/${name}/versions/${n}/profile`, {}, { enabled: !!n, staleTime: Infinity });

export const useModels = () => useGet<T.List<T.Model>>('model', '/models', { limit: 500 });
export const useModel = (name: string) => useGet<T.ModelView>('model', `/models/${name}`);
export const useVersion = (name: string, n: number) => useGet<T.Version>('model', `/models/${name}/versions/${n}`, {}, { enabled: name !== '' && n > 0 });
/** The classes a version tells apart, none for what is no classifier. */
export const useClasses = (model = '', version = 0) => useVersion(model, version).data?.manifest.classes ?? [];

export const useEndpoints = (enabled = true) =>
  useGet<T.List<T.EndpointView>>('endpoint', '/endpoints', { limit: 500 }, { enabled, refetchInterval: 5000 });
export const useEndpoint = (name: string) => useGet<T.EndpointView>('endpoint', `/endpoints/${name}`, {}, every(2000));
export const useForecast = (name: string) => useGet<T.ForecastView>('forecast', `/endpoints/${name}/forecast`, {}, every(2000));
export const useDrift = (name: string) => useGet<T.DriftView>('drift', `/endpoints/${name}/drift`, {}, { refetchInterval: 2000, retry: false });

export const useAlerts = () => useGet<T.List<T.Alert>>('alert', '/alerts', {}, every(5000));
export const useCandidates = (endpoint?: string) => useGet<T.List<T.Candidate>>('candidate', '/candidates', { endpoint, limit: 200 }, every(5000));

export const useJobs = () => useGet<T.List<T.Job>>('job', '/jobs', { limit: 200 }, every(2000));
export const ended = (state?: string) => ['succeeded', 'failed', 'cancelled', 'lost'].includes(state ?? '');
export const useJob = (id: string | undefined) =>
  useGet<T.Job>('job', `/jobs/${id}`, {}, { enabled: !!id, refetchInterval: (q) => (ended(q.state.data?.state) ? false : 1000) });

export const useScorings = () => useGet<T.List<T.Scoring>>('scoring', '/scorings', { limit: 500 }, every(5000));
export const useScoring = (name: string) => useGet<T.Scoring>('scoring', `/scorings/${name}`, {}, every(2000));
export const useScoringRuns = (name: string) => useGet<T.List<T.Job>>('scoring', `/scorings/${name}/runs`, { limit: 50 }, every(2000));
export const useDeliveries = (name: string) => useGet<T.List<T.Delivery>>('scoring', `/scorings/${name}/deliveries`, { limit: 50 }, every(3000));

export const useFleet = () => useGet<T.FleetView>('fleet', '/fleet', {}, every(3000));
export const useFleetNodes = (select = '') => useGet<T.List<T.FleetNode>>('fleet', '/fleet/nodes', { limit: 500, select }, every(2000));
export const useFleetGaps = () => useGet<T.List<T.FleetGap>>('fleet', '/fleet/gaps', { limit: 200 }, every(3000));
export const useFleetOverlays = () => useGet<T.List<T.FleetOverlay>>('fleet', '/fleet/overlays', { limit: 500 }, every(5000));
export const useFleetNode = (id: string) => useGet<T.FleetNode>('fleet', `/fleet/nodes/${id}`, {}, every(2000));
export const useInquiries = (node: string) => useGet<T.List<T.Inquiry>>('fleet', '/fleet/inquiries', { node }, every(2000));
export const useFleetMatrix = (site: string, selector: string) => useGet<T.FleetMatrix>('fleet', '/fleet/matrix', { site, selector }, every(3000));
export const useFleetMonitor = (group: string, model: string, days: number) => useGet<T.FleetMonitor>('fleet', `/fleet/models/${group}/${model}/monitor`, { days }, every(10000));
export const useRollouts = () => useGet<T.List<T.Rollout>>('fleet', '/fleet/rollouts', { limit: 20 }, every(2000));
export const useFleetBinaries = () => useGet<T.List<T.FleetBinary>>('fleet', '/fleet/binaries', {}, every(10_000));
export const useFleetEvents = (node: string, kind: string, limit: number) => useGet<T.FleetEvents>('fleet', '/fleet/events', { node, class: kind, limit }, { ...every(5000), placeholderData: keepPreviousData });
export const useSite = () => useGet<T.FleetSite>('fleet', '/fleet/site', {}, every(3000));
export const useMembership = () => useGet<T.Membership>('fleet', '/fleet/membership', {}, every(3000));

export const useNode = (enabled = true) => useGet<T.NodeStatus>('node', '/node', {}, { enabled, refetchInterval: 5000 });

export const useUpdate = () => useGet<T.Update>('node', '/node/update', {}, every(5000));

/** useAct is a write: afterwards the nouns it touched are read again. */
export function useAct<V, A>(act: (v: V) => Promise<A>, ...nouns: string[]) {
  const client = useQueryClient();
  return useMutation<A, api.Refused, V>({
    mutationFn: act,
    onSuccess: () => {
      for (const noun of [...nouns, 'overview', 'event']) void client.invalidateQueries({ queryKey: [noun] });
    },
  });
}
