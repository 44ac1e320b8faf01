import { useState } from 'react';
import { Button, Group, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { upload } from '../../api/client';
import type { Version } from '../../api/types';
import { Twin } from '../../parts/copy';
import { Drop, isName, nameFrom, Sending } from '../../parts/drop';
import { bytes } from '../../parts/format';
import { Card } from '../../parts/page';
import { done, Trouble } from '../../parts/trouble';
import { t } from '../../text';
import { DeclarePictures } from './pictures';

const tasks = ['raw', 'image', 'regression', 'binary', 'multiclass'] as const;

/** A model file becomes a version: every engine of this server tries it first. */
export function ImportModel({ into }: { into?: string }) {
  const [file, setFile] = useState<File>();
  const [name, setName] = useState(into ?? '');
  const [task, setTask] = useState<string | null>('raw');
  const [use, setUse] = useState('');
  const [image, setImage] = useState<string>();
  const [sent, setSent] = useState<number>();
  const [error, setError] = useState<unknown>();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const send = async () => {
    if (!file) return;
    setError(undefined);
    setSent(0);
    try {
      const v = await upload<Version & { existing?: boolean }>(`/models/${name}/versions`, { filename: file.name, intended_use: use, task: task ?? undefined, image }, file, setSent);
      await client.invalidateQueries({ queryKey: ['model'] });
      if (v.existing) done(t('models.existing', { version: v.number }));
      navigate(`/models/${v.model}/versions/${v.number}`);
    } catch (e) {
      setError(e);
    } finally {
      setSent(undefined);
    }
  };
  return (
    <Card title={into ? t('models.next') : t('begin.drop')}>
      <Stack gap="md">
        <Drop
          label={t('models.drop')}
          accept=".onnx,.zip,.tar,.gz,.tgz,.pb,.tflite,.txt,.lgb,.json,.ubj,.pdmodel"
          take={(f) => {
            setFile(f);
            setError(undefined);
            if (!into) setName(nameFrom(f.name));
          }}
        />
        {file && (
          <>
            <Text size="sm"><b>{file.name}</b> <span className="quiet">{bytes(file.size)}</span></Text>
            <Group align="flex-start" grow preventGrowOverflow={false} gap="md">
              {!into && <TextInput label={t('train.model')} description={t('name.rule')} value={name} onChange={(e) => setName(e.currentTarget.value)} error={name && !isName(name) ? t('name.bad') : undefined} required miw={220} />}
              <Select label={t('models.task')} description={t('models.taskWhat')} data={tasks.map((value) => ({ value, label: t(`task.${value}`) }))} value={task} onChange={setTask} allowDeselect={false} miw={220} />
            </Group>
            <Textarea label={t('train.use')} description={t('train.useWhat')} value={use} onChange={(e) => setUse(e.currentTarget.value)} autosize minRows={2} maxLength={2000} />
            <DeclarePictures value={image} set={setImage} />
            <Trouble error={error} />
            <Sending share={sent} then={t('models.proving')} />
            <Group><Button onClick={() => void send()} loading={sent !== undefined} disabled={!isName(name)}>{t('data.go')}</Button></Group>
            <Twin>{`edgeward model import ${file.name} ${name || 'NAME'}${task && task !== 'raw' ? ` --task ${task}` : ''}${image === undefined ? '' : ` --image ${image}`}`}</Twin>
          </>
        )}
      </Stack>
    </Card>
  );
}
