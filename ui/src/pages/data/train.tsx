import { useState } from 'react';
import { Alert, Button, Checkbox, Group, Select, SegmentedControl, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { post, type Refused } from '../../api/client';
import { rows, type DatasetVersion, type Job, type RecipeAnswer, type RecipeRequest } from '../../api/types';
import { Twin } from '../../parts/copy';
import { isName } from '../../parts/drop';
import { short } from '../../parts/format';
import { JobProgress } from '../../parts/jobprogress';
import { MayButton } from '../../parts/may';
import { Card } from '../../parts/page';
import { Trouble } from '../../parts/trouble';
import { t } from '../../text';

/** From columns to a recipe, from a recipe to a version. */
export function TrainTab({ name, version }: { name: string; version: DatasetVersion }) {
  const columns = rows(version.columns);
  const of = (...types: string[]) => columns.filter((c) => types.includes(c.type)).map((c) => c.name);
  const [ask, setAsk] = useState<RecipeRequest>({
    kind: version.roles.time ? 'forecast' : 'table',
    time: version.roles.time,
    target: version.roles.target,
    group: rows(version.roles.groups)[0],
  });
  const [filter, setFilter] = useState<{ column: string | null; value: string }>({ column: null, value: '' });
  const set = (part: Partial<RecipeRequest>) => setAsk((a) => ({ ...a, ...part }));
  const forecast = ask.kind === 'forecast';
  const suggest = useMutation<RecipeAnswer, Refused, void>({
    mutationFn: () => {
      const filters = filter.column && filter.value ? { [filter.column]: filter.value } : undefined;
      const body: RecipeRequest = forecast ? { ...ask, filters } : { kind: 'table', target: ask.target, filters };
      return post(`/datasets/${name}/versions/${version.number}/recipe`, Object.fromEntries(Object.entries(body).filter(([, v]) => v)));
    },
  });
  return (
    <Stack>
      <Card title={t('train.what')}>
        <Stack gap="md">
          <SegmentedControl
            value={ask.kind ?? 'forecast'}
            onChange={(kind) => set({ kind })}
            data={[{ value: 'forecast', label: t('train.forecast') }, { value: 'table', label: t('train.table') }]}
            aria-label={t('train.kind')}
            fullWidth
          />
          <Text size="sm" className="quiet">{forecast ? t('train.forecastWhat') : t('train.tableWhat')}</Text>
          <div className="fields">
            <Select label={t('train.target')} description={t('train.targetWhat')} data={forecast ? of('integer', 'float') : columns.map((c) => c.name)} value={ask.target ?? null} onChange={(v) => set({ target: v ?? undefined })} searchable allowDeselect={false} required />
            {forecast && <Select label={t('train.time')} description={t('train.timeWhat')} data={of('date', 'timestamp')} value={ask.time ?? null} onChange={(v) => set({ time: v ?? undefined })} allowDeselect={false} required />}
            {forecast && <Select label={t('train.group')} description={t('train.groupWhat')} data={of('text', 'integer', 'boolean').filter((c) => c !== ask.target)} value={ask.group ?? null} onChange={(v) => set({ group: v ?? undefined })} clearable clearButtonProps={{ 'aria-label': t('action.remove') }} placeholder={t('train.oneSeries')} />}
            {forecast && <Select label={t('train.frequency')} description={t('train.frequencyWhat')} data={['hourly', 'daily', 'weekly'].map((value) => ({ value, label: t(`train.${value as 'daily'}`) }))} value={ask.frequency ?? null} onChange={(v) => set({ frequency: v ?? undefined })} clearable clearButtonProps={{ 'aria-label': t('data.auto') }} placeholder={t('data.auto')} />}
            <Select label={t('train.filter')} description={t('train.filterWhat')} data={columns.map((c) => c.name)} value={filter.column} onChange={(column) => setFilter((f) => ({ ...f, column }))} clearable clearButtonProps={{ 'aria-label': t('action.remove') }} placeholder={t('train.noFilter')} searchable />
            {filter.column && <TextInput label={t('train.filterValue', { column: filter.column })} description={t('train.filterValueWhat')} value={filter.value} onChange={(e) => setFilter((f) => ({ ...f, value: e.target.value }))} />}
          </div>
          {forecast && <Checkbox label={t('train.normalise')} description={t('train.normaliseWhat')} checked={ask.normalise === 'level28'} onChange={(e) => set({ normalise: e.currentTarget.checked ? 'level28' : undefined })} />}
          <Group><MayButton verb="read" on="recipe" onClick={() => suggest.mutate()} loading={suggest.isPending} why={ask.target ? undefined : t('train.needTarget')}>{t('train.suggest')}</MayButton></Group>
          <Trouble error={suggest.error} />
        </Stack>
      </Card>
      {suggest.data && <Recipe key={suggest.data.digest} answer={suggest.data} name={name} version={version} target={ask.target ?? ''} />}
    </Stack>
  );
}

function Recipe({ answer, name, version, target }: { answer: RecipeAnswer; name: string; version: DatasetVersion; target: string }) {
  const [text, setText] = useState(JSON.stringify(answer.recipe, null, 2));
  const [model, setModel] = useState(`${name}-${target.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`.replace(/-+$/, '').slice(0, 63));
  const [until, setUntil] = useState('');
  const [unit, setUnit] = useState('');
  const [use, setUse] = useState('');
  const [job, setJob] = useState<Job>();
  const [, navigate] = useLocation();
  let recipe: unknown;
  try {
    recipe = JSON.parse(text);
  } catch {
    recipe = undefined;
  }
  const train = useMutation<Job, Refused, void>({
    mutationFn: () => post(`/models/${model}/train`, { data_set: name, version: version.number, recipe, to: until ? `${until}T00:00:00Z` : undefined, unit: unit || undefined, intended_use: use || undefined }),
    onSuccess: setJob,
  });
  return (
    <Card title={t('train.recipe')}>
      <Stack gap="md">
        {rows(answer.notes).length > 0 && (
          <Alert color="blue" title={t('train.notes')}>
            <ul style={{ margin: 0, paddingInlineStart: 18 }}>{rows(answer.notes).map((n) => <li key={n}>{n}</li>)}</ul>
          </Alert>
        )}
        <details>
          <summary>{t('train.edit')} <span className="quiet mono">{short(answer.digest)}</span></summary>
          <Textarea mt={8} aria-label={t('train.recipe')} value={text} onChange={(e) => setText(e.currentTarget.value)} autosize maxRows={24} spellCheck={false} error={recipe === undefined ? t('train.badJSON') : undefined} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '0.82rem' } }} />
        </details>
        <Title order={3}>{t('train.train')}</Title>
        <div className="fields">
          <TextInput label={t('train.model')} description={t('name.rule')} value={model} onChange={(e) => setModel(e.currentTarget.value)} error={isName(model) ? undefined : t('name.bad')} required />
          {(answer.recipe as { kind?: string }).kind === 'forecast' && <TextInput type="date" label={t('train.until')} description={t('train.untilWhat')} value={until} onChange={(e) => setUntil(e.currentTarget.value)} />}
          <TextInput label={t('train.unit')} description={t('train.unitWhat')} value={unit} onChange={(e) => setUnit(e.currentTarget.value)} maxLength={80} />
        </div>
        <Textarea label={t('train.use')} description={t('train.useWhat')} value={use} onChange={(e) => setUse(e.currentTarget.value)} autosize minRows={2} maxLength={2000} />
        <Trouble error={train.error} />
        {job ? (
          <JobProgress id={job.id} done={(j) => navigate(`/models/${j.result?.model as string}/versions/${j.result?.version as number}`)} />
        ) : (
          <Group><MayButton verb="create" on="version" onClick={() => train.mutate()} loading={train.isPending} why={!isName(model) ? t('name.bad') : recipe === undefined ? t('train.badJSON') : undefined}>{t('train.go')}</MayButton></Group>
        )}
        <Twin>{`edgeward data recipe ${name}/${version.number} --target ${target} -o recipe.json\nedgeward model train ${model || 'NAME'} --data ${name}/${version.number} --recipe recipe.json${until ? ` --to ${until}` : ''}`}</Twin>
        {job?.state === 'failed' && <Button variant="default" onClick={() => setJob(undefined)}>{t('action.again')}</Button>}
      </Stack>
    </Card>
  );
}
