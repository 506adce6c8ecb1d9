import { type ServedBytes, toServedBytes } from '../manual/served-bytes.js';

/** Without `unsafe-inline`: no text of a model can become a script or a style. */
export const consolePolicy = [
  "default-src 'none'",
  "base-uri 'none'",
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "img-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
].join('; ');

export interface ConsoleLinks {
  readonly hasManual: boolean;
  /** Whether `/metrics` needs no key: a link cannot send one. */
  readonly hasMetrics: boolean;
}

/** The page without its data, which the script asks for. All links are relative, for a proxy with a path. */
export function createConsolePage({ hasManual, hasMetrics }: ConsoleLinks): ServedBytes {
  const manual = hasManual ? '<a href="docs">API documentation</a>' : '';
  const metrics = hasMetrics ? '<a href="metrics">Metrics</a>' : '';
  return toServedBytes(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sardonyx</title>
<link rel="icon" href="console/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="console/console.css">
<script type="module" src="console/console.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the model</a>
<header>
<h1 id="title" tabindex="-1"><img src="console/icon.svg" alt="" width="28" height="28"> Sardonyx <small id="version"></small></h1>
<p id="state" role="status">Connecting …</p>
<nav aria-label="Documents">${manual}${metrics}<button type="button" id="forget" hidden>Forget the key</button></nav>
</header>
<form id="key-form" hidden>
<h2>This server needs an API key</h2>
<p id="key-problem">Enter a key with the scope <code>read</code>, and <code>predict</code> to try models. It stays in this tab, and leaves it only for this server.</p>
<label for="key">API key</label>
<input id="key" type="password" autocomplete="off" spellcheck="false" required>
<button class="main">Continue</button>
</form>
<noscript><p class="notice">This page needs JavaScript.</p></noscript>
<div id="console" hidden>
<section id="traffic" aria-label="Traffic of the last five minutes"></section>
<div class="columns">
<nav id="models" aria-label="Models"></nav>
<main id="main" tabindex="-1"></main>
</div>
</div>
</body>
</html>
`,
    'text/html; charset=utf-8',
  );
}
