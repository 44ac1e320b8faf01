import { createTheme, defaultVariantColorsResolver, parseThemeColor, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';

const brand: MantineColorsTuple = ['#e9f5f6', '#d3e9eb', '#a6d3d7', '#76bcc2', '#4ea7af', '#33969f', '#1f8790', '#13797f', '#0b6a72', '#054f55'];

// Calm, and readable: every text colour below reaches 4.5:1 on what it stands on, in both schemes.
export const theme = createTheme({
  colors: { brand },
  primaryColor: 'brand',
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  headings: { fontWeight: '620', sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.125rem' }, h3: { fontSize: '1rem' } } },
  focusRing: 'auto',
  variantColorResolver: (input) => {
    const base = defaultVariantColorsResolver(input);
    const c = parseThemeColor({ color: input.color ?? 'brand', theme: input.theme });
    if (!c.isThemeColor) return base;
    const name = c.color;
    if (input.variant === 'light')
      return {
        ...base,
        background: `light-dark(var(--mantine-color-${name}-0), color-mix(in srgb, var(--mantine-color-${name}-8) 28%, var(--mantine-color-dark-7)))`,
        hover: `light-dark(var(--mantine-color-${name}-1), color-mix(in srgb, var(--mantine-color-${name}-8) 42%, var(--mantine-color-dark-7)))`,
        color: `light-dark(color-mix(in srgb, var(--mantine-color-${name}-9) 60%, black), var(--mantine-color-${name}-2))`,
      };
    if (input.variant === 'subtle' || input.variant === 'outline' || input.variant === 'transparent')
      return { ...base, color: `light-dark(color-mix(in srgb, var(--mantine-color-${name}-9) 75%, black), var(--mantine-color-${name}-3))` };
    if (input.variant === 'filled') return { ...base, background: `color-mix(in srgb, var(--mantine-color-${name}-9) 80%, black)`, color: '#fff' };
    return base;
  },
  components: {
    Badge: { defaultProps: { variant: 'light', radius: 'sm', tt: 'none', fw: 600 } },
    Table: { defaultProps: { verticalSpacing: 8, horizontalSpacing: 'sm' } },
    Tooltip: { defaultProps: { withArrow: true, multiline: true, maw: 320, events: { hover: true, focus: true, touch: true } } },
    Modal: { defaultProps: { centered: true } },
    ModalHeader: { defaultProps: { role: 'presentation' } }, // a dialog's head is no banner of the page
  },
});

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#f6f8f9',
    '--mantine-color-text': '#16232b',
    '--mantine-color-dimmed': '#52606a',
    '--mantine-color-placeholder': '#5d6a73',
    '--mantine-color-error': '#b42318',
    '--mantine-color-anchor': '#0a626a',
    '--edge-card': '#ffffff',
    '--edge-line': '#dfe5e8',
    '--edge-shade': 'rgba(22, 35, 43, 0.16)',
    '--edge-ink': '#22343f',
    '--edge-band': 'rgba(19, 121, 127, 0.16)',
    '--edge-forecast': '#0b7079',
    '--edge-truth': '#22343f',
    '--edge-warn': '#b54708',
    '--edge-bad': '#b42318',
    '--edge-good': '#1c7a45',
    '--edge-bar': '#7db8bd',
  },
  dark: {
    '--mantine-color-body': '#10171b',
    '--mantine-color-text': '#e4eaed',
    '--mantine-color-dimmed': '#a3b0b8',
    '--mantine-color-placeholder': '#98a5ad',
    '--mantine-color-error': '#ff9b8f',
    '--mantine-color-anchor': '#7fcad1',
    '--edge-card': '#172026',
    '--edge-line': '#2a363d',
    '--edge-shade': 'rgba(0, 0, 0, 0.6)',
    '--edge-ink': '#d5dee2',
    '--edge-band': 'rgba(95, 184, 192, 0.22)',
    '--edge-forecast': '#62c0c8',
    '--edge-truth': '#e4eaed',
    '--edge-warn': '#f5a65b',
    '--edge-bad': '#ff8a7d',
    '--edge-good': '#6fcf97',
    '--edge-bar': '#3c7f85',
  },
});
