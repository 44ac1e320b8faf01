import { createContext, useContext, type ReactNode } from 'react';
import { Button, Tooltip, type ButtonProps } from '@mantine/core';
import { rows, type Me } from '../api/types';
import { t } from '../text';

const MeContext = createContext<Me | undefined>(undefined);
export const MeProvider = MeContext.Provider;

/** Who is signed in. Pages are only shown to somebody. */
export function useWho(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error('nobody is signed in');
  return me;
}

/** Whether the one signed in may do verb to resource in the current group. */
export function useMay() {
  const me = useWho();
  return (verb: string, resource: string) => rows(me.may[resource]).includes(verb);
}

type Props = ButtonProps & { verb: string; on: string; onClick: () => void; children: ReactNode; why?: string; type?: 'button' };

/** A button for what needs a right. Who lacks it sees the button, greyed, and why. */
export function MayButton({ verb, on, onClick, children, why, ...rest }: Props) {
  const may = useMay();
  const { group } = useWho();
  const reason = !may(verb, on) ? t('may.not', { verb: t(`verb.${verb}` as 'verb.create'), group: group || '–' }) : why;
  if (!reason) return <Button {...rest} onClick={onClick}>{children}</Button>;
  return (
    <Tooltip label={reason}>
      <Button {...rest} data-disabled aria-disabled onClick={(e) => e.preventDefault()}>{children}</Button>
    </Tooltip>
  );
}
