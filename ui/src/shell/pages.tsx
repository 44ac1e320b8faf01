import { lazy } from 'react';
import { Route, Switch } from 'wouter';
import { Page, To } from '../parts/page';
import { t } from '../text';

// The two pages most visits begin with come at once, all others when they are opened.
import Forecast from '../pages/forecast/forecast';
import Overview from '../pages/overview/overview';

const Line = lazy(() => import('../pages/line/line'));
const DataList = lazy(() => import('../pages/data/datasets'));
const DataSet = lazy(() => import('../pages/data/dataset'));
const Models = lazy(() => import('../pages/models/models'));
const Model = lazy(() => import('../pages/models/model'));
const Version = lazy(() => import('../pages/models/version'));
const Endpoints = lazy(() => import('../pages/endpoints/endpoints'));
const Endpoint = lazy(() => import('../pages/endpoints/endpoint'));
const Prediction = lazy(() => import('../pages/endpoints/prediction'));
const DriftList = lazy(() => import('../pages/drift/monitors'));
const Drift = lazy(() => import('../pages/drift/drift'));
const Candidates = lazy(() => import('../pages/candidates/candidates'));
const Scorings = lazy(() => import('../pages/scoring/scorings'));
const Scoring = lazy(() => import('../pages/scoring/scoring'));
const Jobs = lazy(() => import('../pages/jobs/jobs'));
const Job = lazy(() => import('../pages/jobs/job'));
const Fleet = lazy(() => import('../pages/fleet/fleet'));
const FleetNode = lazy(() => import('../pages/fleet/node'));
const FleetMonitor = lazy(() => import('../pages/fleet/monitor'));
const Audit = lazy(() => import('../pages/audit/audit'));
const Access = lazy(() => import('../pages/access/access'));
const Settings = lazy(() => import('../pages/settings/settings'));

export function Pages() {
  return (
    <Switch>
      <Route path="/"><Overview /></Route>
      <Route path="/forecast"><Forecast /></Route>
      <Route path="/line"><Line /></Route>
      <Route path="/data"><DataList /></Route>
      <Route path="/data/:name">{(p) => <DataSet key={p.name} name={p.name} />}</Route>
      <Route path="/models"><Models /></Route>
      <Route path="/models/:name">{(p) => <Model key={p.name} name={p.name} />}</Route>
      <Route path="/models/:name/versions/:n">{(p) => <Version key={p.name + p.n} name={p.name} n={Number(p.n)} />}</Route>
      <Route path="/endpoints"><Endpoints /></Route>
      <Route path="/endpoints/:name">{(p) => <Endpoint key={p.name} name={p.name} />}</Route>
      <Route path="/predictions/:id">{(p) => <Prediction key={p.id} id={p.id} />}</Route>
      <Route path="/drift"><DriftList /></Route>
      <Route path="/drift/:name">{(p) => <Drift key={p.name} name={p.name} />}</Route>
      <Route path="/candidates"><Candidates /></Route>
      <Route path="/scoring"><Scorings /></Route>
      <Route path="/scoring/:name">{(p) => <Scoring key={p.name} name={p.name} />}</Route>
      <Route path="/jobs"><Jobs /></Route>
      <Route path="/jobs/:id">{(p) => <Job key={p.id} id={p.id} />}</Route>
      <Route path="/fleet"><Fleet /></Route>
      <Route path="/fleet/nodes/:id">{(p) => <FleetNode key={p.id} id={p.id} />}</Route>
      <Route path="/fleet/models/:group/:model">{(p) => <FleetMonitor key={p.group + p.model} group={p.group} model={p.model} />}</Route>
      <Route path="/audit"><Audit /></Route>
      <Route path="/access"><Access /></Route>
      <Route path="/settings"><Settings /></Route>
      <Route>
        <Page title={t('page.missing')}>
          <p>{t('page.missingWhat')} <To href="/">{t('overview.title')}</To></p>
        </Page>
      </Route>
    </Switch>
  );
}
