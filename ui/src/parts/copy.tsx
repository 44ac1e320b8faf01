import { ActionIcon, CopyButton, Tooltip } from '@mantine/core';
import { t } from '../text';
import { IconCheck, IconCopy } from './icons';

/** A piece of text to take along: a command line, a request. */
export function Code({ children, label }: { children: string; label?: string }) {
  return (
    <div style={{ position: 'relative' }}>
      <pre className="code" tabIndex={0} role="group" aria-label={label ?? t('action.command')}>{children}</pre>
      <CopyButton value={children}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? t('action.copied') : t('action.copy')}>
            <ActionIcon variant="subtle" color="gray" onClick={copy} aria-label={copied ? t('action.copied') : t('action.copy')} style={{ position: 'absolute', top: 5, insetInlineEnd: 6 }}>
              {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </div>
  );
}

/** The same by the command line. */
export function Twin({ children }: { children: string }) {
  return (
    <div>
      <div className="quiet" style={{ fontSize: '0.82rem', margin: '0 0 4px' }}>{t('action.twin')}</div>
      <Code>{children}</Code>
    </div>
  );
}
