import { createRoot } from 'react-dom/client';
import './mantine.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './style.css';
import { App } from './app';
import { speak, wantedLanguage } from './text';

await speak(wantedLanguage());
createRoot(document.getElementById('root')!).render(<App />);
