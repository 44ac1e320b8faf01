import { ActionIcon, Menu, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { IconCheck, IconMoon, IconSun, IconSystem } from '../parts/icons';
import { t, type Key } from '../text';

const choices: { value: MantineColorScheme; label: Key; icon: typeof IconSun }[] = [
  { value: 'light', label: 'scheme.light', icon: IconSun },
  { value: 'dark', label: 'scheme.dark', icon: IconMoon },
  { value: 'auto', label: 'scheme.auto', icon: IconSystem },
];

/** Light, dark, or as the system is. */
export function Scheme() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const now = choices.find((c) => c.value === colorScheme) ?? choices[2]!;
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`${t('scheme.title')}: ${t(now.label)}`}><now.icon size={20} stroke={1.7} /></ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {choices.map((c) => (
          <Menu.Item key={c.value} leftSection={<c.icon size={17} />} rightSection={c.value === colorScheme ? <IconCheck size={15} /> : null} onClick={() => setColorScheme(c.value)} aria-current={c.value === colorScheme || undefined}>
            {t(c.label)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
