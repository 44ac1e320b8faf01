// The nouns of the API as the pages name them: aliases of what openapi-typescript made of node/api/openapi.json
// ("npm run types"). What the contract leaves open (raw JSON) is described here.
import type { components } from './schema';

type S = components['schemas'];

/** A list that Go may send as null: read it with rows(). */
export type Many<T> = T[] | null | undefined;
export const rows = <T>(x: Many<T>): T[] => x ?? [];

export interface List<T> { items: Many<T>; next?: string }

export type Problem = S['Problem'];
export type Health = S['Health'];
export type Me = S['Me'];
export type Overview = S['Overview'];
export type Need = S['Need'];
export type EndpointLine = S['EndpointLine'];
export type JobLine = S['JobLine'];

export type Dataset = S['DatasetView'];
export type DatasetVersion = S['DatasetsVersion'];
export type Column = S['DatasetsColumn'];
export type Profile = S['ProfileProfile'];
export type ProfileView = S['ProfileView'];
export type ProfileColumn = S['ProfileColumn'];
export type Series = S['ProfileSeries'];
export type Rows = S['Rows'];
export type RecipeRequest = S['RecipeRequest'];
export type RecipeAnswer = Omit<S['RecipeAnswer'], 'recipe'> & { recipe: Record<string, unknown> };

export type Features = S['Features'];

export type Model = S['ModelsModel'];
export type Alias = S['ModelsAlias'];
export interface EngineCandidate {
  engine: string; version?: string; device?: string; loads: boolean; error?: string; max_abs_diff: number; p50_us: number; load_ms?: number;
}
export interface EngineReport { candidates: Many<EngineCandidate>; chosen: { engine: string; device?: string }; why: string }
export type TensorSpec = S['TensorSpec'];
export type GraphView = S['GraphView'];
export type Span = S['Span'];
export type Manifest = Omit<S['ModelsManifest'], 'recipe' | 'engines'> & { recipe?: Record<string, unknown>; engines?: EngineReport };
export type Version = Omit<S['ModelsVersion'], 'manifest'> & { manifest: Manifest };
export type ModelView = Omit<S['ModelView'], 'versions'> & { versions: Many<Version> };

export type EndpointView = S['EndpointView'];
export type Endpoint = S['ServeEndpoint'];
export type EndpointRequest = S['EndpointRequest'];
export type Spec = S['ServeSpec'];
export type Target = S['ServeTarget'];
export type Status = S['ServeStatus'];
export type Counters = S['ServeCounters'];
export type Runs = S['ServeRuns'];
export type Limit = S['ServeLimit'];
export type Field = S['Field'];
export type ChangeRequest = S['ChangeRequest'];
export type EndpointChange = S['EndpointChange'];
export type Prediction = S['Prediction'];
export type Snippets = S['Snippets'];
export type Performance = S['Performance'];
export type SeriesPoint = S['SeriesPoint'];
export type ForecastView = S['ForecastView'];
export type GroupForecast = S['GroupForecast'];
export type PredictionLine = S['RecordSummary'];
export type PredictionEntry = S['PredictionEntry'];
export type Tensor = S['TensorReadable'];
export type FeedbackAnswer = S['FeedbackAnswer'];

export type DriftView = S['DriftView'];
export type DriftReport = S['DriftReport'];
export type LoopState = S['LoopState'];
export type Policy = S['LoopPolicy'];
export type Alert = S['AlertView'];
export type Candidate = S['ModelsCandidateRecord'];
export type Job = Omit<S['JobsJob'], 'result'> & { result?: Record<string, unknown> };
export type Scoring = Omit<S['ScoringView'], 'run'> & { run?: Job };
export type ScoringRequest = S['ScoringRequest'];
export type RowError = S['ScoreRowError'];
export type Places = S['ScoringPlaces'];
export type Delivery = S['ScoreDelivery'];
export type LogLine = S['JobsLine'];
export type Event = S['EventsEvent'];
export type AuditResult = S['AuditResult'];

export type User = S['UserView'];
export type Group = S['AuthGroup'];
export type Token = S['TokenView'];
export type NodeStatus = S['NodeStatus'];
export type Update = S['Update'];
export type RuntimeView = S['RuntimeView'];
export type DeviceView = S['DeviceView'];
export type Setting = S['Setting'];
export type DemoStatus = Omit<S['DemoStatus'], 'report'> & { report?: Record<string, unknown> };

export type FleetView = S['FleetView'];
export type FleetNode = S['FleetNodeView'];
export type FleetGap = S['HubGap'];
export type FleetOverlay = S['HubOverlay'];
export type Applied = S['HubApplied'];
export type FleetCode = S['CodeView'];
export type Membership = S['FleetMembership'];
export type FleetEvents = S['FleetEventsView'];
export type BundleResult = S['BundleResult'];
export type Queue = NonNullable<Membership['queue']>;
export type FleetSite = S['FleetSite'];
export type Rollout = S['RolloutView'];
export type FleetBinary = S['TufRelease'];
export type Inquiry = S['InquiryInquiry'];
export type FleetMatrix = S['FleetMatrix'];
export type FleetMatrixCell = S['FleetMatrixCell'];
export type FleetMonitor = S['FleetMonitor'];
export type FleetMonitorRow = S['FleetMonitorRow'];
export type FleetNodeWork = S['SummaryNodeWork'];
export type FleetMoved = S['SummaryMoved'];
