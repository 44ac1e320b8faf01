declare module '@tabler/icons-react/dist/esm/icons/*.mjs' {
  import type { FunctionComponent } from 'react';
  const icon: FunctionComponent<{ size?: number; stroke?: number; className?: string }>;
  export default icon;
}
