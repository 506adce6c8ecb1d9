import { describe, expect, test } from 'vitest';
import { chromium, startBrowser } from '../helpers/browser.js';
import { entry, secretOf } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';

const figure = "document.querySelector('.answer .figure')?.textContent";
const predictions =
  "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/predict')).length";
/** Sets a field as a person does who replaces its text. */
const typeInto = (name: string, text: string) => `(() => {
  const input = document.querySelector('[name=${JSON.stringify(name)}]');
  input.value = ${JSON.stringify(text)};
  input.dispatchEvent(new Event('input', { bubbles: true }));
})()`;
const problemOf = (name: string) =>
  `document.getElementById(document.querySelector('[name=${name}]').id + '-problem').textContent`;
const pressPredict = "document.querySelector('.predict button').click()";
const hasForm = "document.querySelector('.predict button')";

// Without Chromium there is nothing to test the page with.
describe.skipIf(chromium === undefined)('the console in a browser', () => {
  test('shows the models, predicts as one types, and sends nothing before', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/#credit-risk`);
    await page.until(hasForm);
    await page.until("document.querySelector('section.drift').textContent.length > 20");
    expect(
      await page.evaluate("[...document.querySelectorAll('#models strong')].map((it) => it.textContent)"),
    ).toEqual(['breast-cancer', 'churn', 'credit-risk', 'diabetes', 'digits']);
    expect(await page.evaluate(predictions)).toBe(0);
    expect(await page.evaluate("document.querySelector('.answer').textContent")).toContain('Press Predict');
    await page.evaluate(`(() => {
      const own = window.fetch;
      window.sources = [];
      window.fetch = (path, options) => {
        if (path.endsWith('/predict')) window.sources.push(options.headers['x-sardonyx-source']);
        return own(path, options);
      };
    })()`);
    await page.evaluate(pressPredict);
    await page.until(`${figure}?.startsWith('1')`);
    const before = await page.evaluate(figure);
    await page.evaluate(typeInto('credit_score', '310'));
    await page.until(`${figure} !== ${JSON.stringify(before)}`);
    expect(await page.evaluate('window.sources')).toEqual(['console', 'console']);
    for (const model of ['churn', 'diabetes', 'breast-cancer', 'digits']) {
      await page.evaluate(`location.hash = '#${model}'`);
      await page.until(`document.querySelector('main h2').textContent === '${model}' && ${hasForm}`);
      await page.evaluate(pressPredict);
      await page.until("document.querySelector('.answer :is(.figure, pre)')");
    }
    expect(page.problems).toEqual([]);
  });

  test('names a wrong value beside its field, and does not send it', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/#credit-risk`);
    await page.until(hasForm);
    for (const [text, problem] of [
      ['101', 'must be at most 100, got 101'],
      ['17', 'must be at least 18, got 17'],
      ['30.5', 'must be a whole number, got 30.5'],
      ['', 'is required'],
    ] as const) {
      await page.evaluate(typeInto('age', text));
      await page.until(`${problemOf('age')} === ${JSON.stringify(problem)}`);
      expect(await page.evaluate("document.querySelector('[name=age]').getAttribute('aria-invalid')")).toBe(
        'true',
      );
    }
    expect(await page.evaluate("document.querySelector('.answer').textContent")).toBe(
      'Not sent. Correct age first.',
    );
    // "1e" is no number, and an empty text for a script.
    await page.evaluate("document.querySelector('[name=age]').focus()");
    await page.press('1', 'e');
    await page.until(`${problemOf('age')} === 'must be a whole number'`);
    expect(await page.evaluate(predictions)).toBe(0);
    await page.evaluate(typeInto('age', '30'));
    await page.until(`${problemOf('age')} === '' && ${figure}`);
    // A feature with a default, and one that may be null, can be left out.
    await page.evaluate("location.hash = '#churn'");
    await page.until("document.querySelector('[name=total_charges]')");
    await page.evaluate(typeInto('total_charges', ''));
    await page.evaluate(typeInto('region', ''));
    await page.until(figure);
    await page.evaluate("location.hash = '#digits'");
    await page.until("document.querySelector('textarea')");
    await page.evaluate(`(() => {
      const input = document.querySelector('textarea');
      input.value = '{';
      input.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
    await page.until("document.querySelector('.try .problem').textContent.startsWith('is not JSON')");
    expect(page.problems).toEqual([]);
  });

  test('shows live quality beside the figures of the training', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    const post = async (path: string, body: unknown) =>
      (await (
        await fetch(`${server.url}${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).json()) as { prediction_id: string; prediction: number };
    await page.open(`${server.url}/#credit-risk`);
    const quality = "document.querySelector('section.quality')?.textContent";
    await page.until(`${quality}?.includes('POST /feedback') && ${quality}.includes('accuracy 0.8718')`);
    for (let age = 20; age < 60; age += 1) {
      const { prediction_id, prediction } = await post('/predict', { age, income: 9_000, credit_score: 400 });
      await post('/feedback', { prediction_id, actual: age < 30 ? prediction : 1 - prediction });
    }
    const { example } = (await (await fetch(`${server.url}/models/diabetes/versions/1`)).json()) as {
      example: unknown;
    };
    for (let k = 0; k < 30; k += 1) {
      const { prediction_id, prediction } = await post('/models/diabetes/predict', example);
      await post('/feedback', { prediction_id, actual: prediction + 100 });
    }
    await page.open('about:blank');
    await page.open(`${server.url}/#credit-risk`);
    await page.until(`${quality}?.includes('40 feedbacks in the last day')`);
    // The server reads the sums for its list anew after 15 s.
    await page.until("document.querySelector('section.quality .badge.bad')", 30_000);
    const accuracy = "[...document.querySelectorAll('section.quality dl > div:first-child > *')]";
    expect(await page.evaluate(`${accuracy}.map((it) => it.textContent)`)).toEqual([
      'Accuracy',
      '25.0\u00a0%',
      'training 87.2\u00a0%',
      'worse than in training',
    ]);
    expect(await page.evaluate("document.querySelector('#models .mark').textContent")).toBe(
      'Accuracy 25.0\u00a0%, 87.2\u00a0% in training',
    );
    expect(
      await page.evaluate("[...document.querySelectorAll('.calibration .tick')].map((it) => it.textContent)"),
    ).toEqual(['0', '0', '0.5', '0.5', '1', '1']);
    // A regression compares its errors. The manifest of diabetes calls them mean_absolute_error and so on.
    await page.evaluate("location.hash = '#diabetes'");
    await page.until(`${quality}?.includes('Bias')`);
    const errors = await page.evaluate<string[]>(
      "[...document.querySelectorAll('section.quality dl > div')].map((it) => it.textContent)",
    );
    expect(errors).toEqual([
      'MAE100training 45.75worse than in training',
      'RMSE100training 55.13',
      'Bias-100',
      'R²not measuredtraining 0.5179',
    ]);
    await page.evaluate("location.hash = '#credit-risk'");
    await page.until("document.querySelector('.calibration')");
    // A line of the theme's faint colour cannot be seen on its background.
    for (const scheme of ['light', 'dark'] as const) {
      await page.setScheme(scheme);
      const colours = await page.evaluate<string[]>(
        "['.diagonal', '.calibration .tick'].map((it) => getComputedStyle(document.querySelector(it))).map((it, k) => k === 0 ? it.stroke : it.fill)",
      );
      for (const colour of colours) expect(contrastOf(colour, scheme), scheme).toBeGreaterThan(3);
    }
    expect(page.problems).toEqual([]);
  });

  test('shows what drift compares, missing values, new categories, and the values of bins', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    const { example } = (await (await fetch(`${server.url}/models/churn/versions/1`)).json()) as {
      example: Record<string, unknown>;
    };
    for (let k = 0; k < 120; k += 1)
      await fetch(`${server.url}/models/churn/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          ...example,
          tenure_months: k % 10,
          total_charges: k % 2 === 0 ? null : 700 + k,
        }),
      });
    await page.open(`${server.url}/#churn`);
    await page.until("document.querySelector('section.drift .card')");
    expect(await page.evaluate("document.querySelector('.compared').textContent")).toMatch(
      /^120 rows since .*202\d.*, compared with [\d,]+ reference rows of version 1\.$/,
    );
    const card = (name: string) =>
      `[...document.querySelectorAll('.drift .card')].find((it) => it.querySelector('h4').textContent.startsWith('${name}'))`;
    expect(await page.evaluate(`${card('total_charges')}.querySelector('.share').textContent`)).toMatch(
      /^missing \d\.\d\s% → 50\.0\s%$/,
    );
    const edges = await page.evaluate<string[]>(
      `[...${card('tenure_months')}.querySelectorAll('.ends span')].map((it) => it.textContent)`,
    );
    expect(edges).toHaveLength(3);
    expect([...edges].sort((a, b) => Number(a) - Number(b))).toEqual(edges);
    // The table opens with the keyboard, and a refresh leaves it open and focused.
    await page.evaluate(`${card('tenure_months')}.querySelector('summary').focus()`);
    await page.press('Enter');
    const isOpen = `${card('tenure_months')}.querySelector('details').open`;
    await page.until(isOpen);
    expect(
      await page.evaluate(`${card('tenure_months')}.querySelectorAll('tbody tr').length`),
    ).toBeGreaterThan(5);
    await page.evaluate(`(window.old = ${card('tenure_months')}, true)`);
    await page.until(`window.old !== ${card('tenure_months')}`, 30_000);
    expect(await page.evaluate(isOpen)).toBe(true);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Values');
    await page.until("document.querySelector('#models .mark')?.textContent.startsWith('Drift: ')");
    expect(page.problems).toEqual([]);
  });

  test('shows why a column drifts, and categories that the training has not', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until(hasForm);
    const column = {
      ...{ type: 'string', test: 'chi_square', drift: true, statistic: 9, psi: 1 },
      ...{ p_value: 0, adjusted_p_value: 0, missing_rate: 0.2, reference_missing_rate: 0 },
    };
    const drift = {
      ...{ model: 'm', model_version: '1', status: 'ok', threshold: 0.01, drift: true, outputs: {} },
      window: {
        rows: 200,
        seen_rows: 900,
        since: '2026-11-29T02:00:00.000Z',
        until: '2026-11-29T03:00:00.000Z',
      },
      reference: { rows: 50 },
      features: {
        region: {
          ...{ ...column, because: ['values', 'missing'], unseen: 0.03 },
          distribution: {
            bins: [{ value: '<b>north</b>' }, { value: 'south' }],
            ...{ reference: [0.5, 0.5], current: [0.25, 0.72] },
          },
        },
        secret: column,
      },
    };
    const texts = await page.evaluate<string[]>(`(async () => {
      const { showDrift } = await import('./console/drift-view.js');
      const section = document.createElement('section');
      showDrift(section, ${JSON.stringify(drift)});
      const of = (query) => [...section.querySelectorAll(query)].map((it) => it.textContent);
      return [...of('.compared'), ...of('h4'), ...of('.share'), ...of('.ends span'), ...of('td'), ...of('b')];
    })()`);
    expect(texts[0]).toMatch(
      /^200 rows since Nov 29, 2026.* \(a sample of 900\), compared with 50 reference rows/,
    );
    expect(texts.slice(1)).toEqual([
      ...['region drift: values and missing values', 'secret drift'],
      ...[
        'missing 0.0\u00a0% → 20.0\u00a0%',
        '3.0\u00a0% unseen in training',
        'missing 0.0\u00a0% → 20.0\u00a0%',
      ],
      ...['<b>north</b>', 'south'],
      ...['<b>north</b>', '50.0\u00a0%', '25.0\u00a0%', 'south', '50.0\u00a0%', '72.0\u00a0%'],
    ]);
    expect(page.problems).toEqual([]);
  });

  test('says what is degraded, and why there is no live quality', async () => {
    await using server = await startServerProcess({ REDIS_URL: 'redis://127.0.0.1:1' });
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until("document.getElementById('state').textContent === 'Degraded: Redis is down'");
    expect(await page.evaluate("document.getElementById('state').className")).toBe('warn');
    await page.until(
      "document.querySelector('section.quality')?.textContent.includes('because Redis is down')",
    );
  });

  test('shows a rate below 1 a second as a count, and lone latencies as dots', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until(hasForm);
    await fetch(`${server.url}/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ age: 42, income: 51_234.5, credit_score: 688 }),
    });
    const card = (k: number) => `document.querySelectorAll('#traffic .card')[${k}]`;
    await page.until(`${card(0)}?.querySelector('.figure').textContent === '1 in the last minute'`);
    expect(await page.evaluate(`${card(1)}.querySelector('.dots.main').getAttribute('d')`)).toMatch(
      /^M[\d.]+ [\d.]+h0$/,
    );
  });

  test('can be used with the keyboard alone', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/#diabetes`);
    await page.until(hasForm);
    const focused = 'document.activeElement.textContent.trim()';
    const tabTo = async (text: string) => {
      for (let k = 0; k < 60 && !(await page.evaluate<string>(focused)).startsWith(text); k += 1)
        await page.press('Tab');
      expect(await page.evaluate(focused)).toContain(text);
    };
    await page.press('Tab');
    expect(await page.evaluate(focused)).toBe('Skip to the model');
    await page.press('Enter');
    expect(await page.evaluate('[document.activeElement.id, location.hash]')).toEqual(['main', '#diabetes']);
    expect(await page.evaluate("document.querySelector('main h2').textContent")).toBe('diabetes');
    await page.evaluate("document.querySelector('#models a').focus()");
    await tabTo('credit-risk');
    await page.press('Enter');
    await page.until("document.querySelector('main h2').textContent === 'credit-risk'");
    await tabTo('Try');
    await page.press('Enter');
    await page.until("document.querySelector('.try h3')?.textContent.includes('20261101_090000')");
    await page.press('Tab', 'Tab');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('INPUT');
    await page.press('Enter');
    await page.until(figure);
  });

  test('asks again for a version after a request that failed', async () => {
    using folder = createRegistryFolder();
    for (const [model, version] of [
      ['first', '1'],
      ['second', '1'],
      ['second', '2'],
    ] as const)
      folder.addVersion(model, version, {
        manifest: { task: 'regression', features: [{ name: 'x', type: 'number' }] },
        model: linearRegression([2]),
      });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    await using page = await startBrowser();
    await page.open(`${server.url}/#first`);
    await page.until(hasForm);
    // One request has no answer, and the next one that of a proxy.
    await page.evaluate(`(() => {
      const own = window.fetch;
      window.faults = [];
      window.fetch = async (path, options) => {
        if (!path.includes('/versions/') || window.faults.length === 0) return own(path, options);
        if (window.faults.shift() === 'lost') throw new TypeError('Failed to fetch');
        return new Response('<h1>Bad gateway</h1>', { status: 502 });
      };
    })()`);
    const trial = "document.querySelector('section.try').textContent";
    for (const act of [
      "location.hash = '#second'",
      'document.querySelector(\'section.overview button[value="1"]\').click()',
    ]) {
      await page.evaluate(`window.faults.push('lost', 'proxy'); ${act}`);
      await page.until(`${trial}.includes('The server does not answer')`);
      expect(await page.evaluate(hasForm)).toBe(null);
      await page.until(`${trial}.includes('Status 502')`);
      await page.until(hasForm);
    }
    expect(await page.evaluate(trial)).toContain('version 1');
    // What a person types stays: the form is not made anew.
    await page.evaluate(typeInto('x', '7'));
    await page.until(`${figure}?.startsWith('14')`);
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 6_000))');
    expect(await page.evaluate("document.querySelector('[name=x]').value")).toBe('7');
    expect(page.problems).toEqual([]);
  });

  test('asks for a key, keeps it in the tab, and forgets it', async () => {
    await using server = await startServerProcess({
      API_KEYS: JSON.stringify([entry('person', { scopes: ['read', 'predict'] })]),
    });
    await using page = await startBrowser();
    const enter = async (key: string) => {
      await page.until("document.getElementById('key-form')?.hidden === false");
      await page.evaluate("document.getElementById('key').focus()");
      await page.press(...key, 'Enter');
    };
    await page.open(`${server.url}/#churn`);
    await enter('wrong');
    await page.until("document.getElementById('key-problem').textContent.includes('not valid')");
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    // No header takes such a text, so that the browser would never send it.
    await page.evaluate("document.getElementById('key').value = 'ключ'");
    await page.evaluate("document.getElementById('key-form').requestSubmit()");
    await page.until("document.getElementById('key-problem').textContent.includes('cannot be a key')");
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
    await enter(secretOf('person'));
    await page.until(hasForm);
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H1');
    await page.evaluate(pressPredict);
    await page.until(figure);
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([
      0,
      1,
      '',
    ]);
    await page.evaluate("document.getElementById('forget').click()");
    await page.until("document.getElementById('key-form')?.hidden === false");
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('says that a key may not predict', async () => {
    await using server = await startServerProcess({
      API_KEYS: JSON.stringify([entry('reader', { scopes: ['read'] })]),
    });
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until("document.getElementById('key-form')?.hidden === false");
    await page.press(...secretOf('reader'), 'Enter');
    await page.until(hasForm);
    expect(await page.evaluate("document.querySelector('.answer').textContent")).toContain(
      'lacks the scope predict',
    );
    await page.evaluate(typeInto('age', '31'));
    await page.evaluate(pressPredict);
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 400))');
    expect(await page.evaluate(predictions)).toBe(0);
  });

  test('shows hostile names as text, and refused versions with their reason', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const description = '"><script>alert(2)</script>';
    using folder = createRegistryFolder();
    const manifest = {
      task: 'regression' as const,
      description,
      features: [
        { name, type: 'number' as const, unit: '<b>€</b>', description },
        { name: 'a/b~c', type: 'number' as const, maximum: 1 },
      ],
    };
    folder.addVersion('plain', '1', { manifest, model: linearRegression([1, 1]) });
    folder.addVersion('plain', '2', { manifest, model: Buffer.from(description) });
    await using server = await startServerProcess({ MODELS_DIR: folder.path });
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until(hasForm);
    await page.evaluate(pressPredict);
    await page.until(figure);
    expect(await page.evaluate("document.querySelectorAll('main img, main script, main b').length")).toBe(0);
    expect(await page.evaluate("document.querySelector('.field label').textContent")).toContain(name);
    expect(await page.evaluate("document.querySelector('.overview .notice').textContent")).toMatch(
      /^2 .{10}/,
    );
    await page.evaluate(typeInto('a/b~c', '2'));
    await page.until(
      "[...document.querySelectorAll('.problem')].some((it) => it.textContent.includes('at most 1'))",
    );
    expect(page.problems).toEqual([]);
  });
});

/** The contrast of a colour with the card of a scheme, by WCAG 2.2. */
function contrastOf(colour: string, scheme: 'light' | 'dark'): number {
  const card = scheme === 'light' ? [255, 255, 255] : [0x21, 0x1a, 0x16];
  const [a, b] = [(colour.match(/\d+/g) ?? []).slice(0, 3).map(Number), card].map((rgb) => {
    const [red = 0, green = 0, blue = 0] = rgb.map((it) =>
      it / 255 <= 0.04045 ? it / 255 / 12.92 : ((it / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }) as [number, number];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
