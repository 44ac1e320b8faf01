import { defineConfig } from 'vite';

declare const process: { env: Record<string, string | undefined> };
const { env } = process;

// File names carry no hash: dist is committed, and the server answers with an ETag of the bytes instead.
export default defineConfig({
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // light-dark() stays as it is written
    outDir: 'dist',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
    rollupOptions: {
      // Parts say "use client" for server rendering, which we have none of.
      onLog: (level, log, give) => log.code !== 'MODULE_LEVEL_DIRECTIVE' && give(level, log),
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: { groups: [{ name: 'base', test: /node_modules\/(react|react-dom|scheduler|wouter|regexparam|use-sync-external-store|@tanstack\/(react-query|query-core))\/|src\/(api|text\/(index|en)|parts\/(page|format|trouble|may|ask|copy|empty|chart|icons))/ }] },
      },
    },
  },
  // npm run dev: the page with hot reload against a running server (EDGEWARD_URL) or the mock.
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(['/api', '/v2', '/metrics'].map((p) => [p, env.EDGEWARD_URL ?? 'http://127.0.0.1:8080'])),
  },
});
