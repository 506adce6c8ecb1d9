import { describe, expect, test } from 'vitest';
import { chromium, startBrowser } from '../helpers/browser.js';
import { entry, secretOf } from '../helpers/keys.js';
import { linearRegression } from '../helpers/onnx-models.js';
import { createRegistryFolder } from '../helpers/registry-folder.js';
import { startServerProcess } from '../helpers/server-process.js';

const figure = "document.querySelector('.answer .figure')?.textContent";
/** Sets a field as a person does who replaces its text. */
const typeInto = (name: string, text: string) => `(() => {
  const input = document.querySelector('[name=${JSON.stringify(name)}]');
  input.value = ${JSON.stringify(text)};
  input.dispatchEvent(new Event('input', { bubbles: true }));
})()`;

// Without Chromium there is nothing to test the page with.
describe.skipIf(chromium === undefined)('the console in a browser', () => {
  test('shows the models, predicts as one types, and puts errors beside their fields', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/#credit-risk`);
    await page.until(`${figure}?.startsWith('1')`);
    expect(
      await page.evaluate("[...document.querySelectorAll('#models strong')].map((it) => it.textContent)"),
    ).toEqual(['breast-cancer', 'churn', 'credit-risk', 'diabetes', 'digits']);
    const before = await page.evaluate(figure);
    await page.evaluate(typeInto('credit_score', '310'));
    await page.until(`${figure} !== ${JSON.stringify(before)}`);
    await page.evaluate(typeInto('age', '101'));
    await page.until("document.querySelector('[name=age]').hasAttribute('aria-invalid')");
    const problem =
      "document.getElementById(document.querySelector('[name=age]').id + '-problem').textContent";
    expect(await page.evaluate(problem)).toBe('must be at most 100, got 101');
    await page.evaluate(typeInto('age', ''));
    await page.until(`${problem}.includes('required') || ${problem}.includes('missing')`);
    await page.evaluate(typeInto('age', '30'));
    await page.until(`${problem} === '' && ${figure}`);
    // An API without drift, or a version without a reference, is said in words.
    await page.until("document.querySelector('section.drift .notice')?.textContent.length > 20");
    await page.until(
      "document.querySelector('section.quality .notice')?.textContent.includes('POST /feedback')",
    );
    const { prediction_id } = (await (
      await fetch(`${server.url}/predict`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ age: 42, income: 51234.5, credit_score: 688 }),
      })
    ).json()) as { prediction_id: string };
    await fetch(`${server.url}/feedback`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prediction_id, actual: 1 }),
    });
    await page.open('about:blank');
    await page.open(`${server.url}/#credit-risk`);
    await page.until("document.querySelector('section.quality dd')?.textContent === '100.0 %'");
    for (const model of ['churn', 'diabetes', 'breast-cancer', 'digits']) {
      await page.evaluate(`location.hash = '#${model}'`);
      await page.until(
        `document.querySelector('main h2').textContent === '${model}' && document.querySelector('.answer :is(.figure, pre)')`,
      );
    }
    // A 400 of a field, and the missing drift, are answers that the page shows.
    expect(page.problems.filter((it) => !/status of 40[04]/.test(it))).toEqual([]);
  });

  test('can be used with the keyboard alone', async () => {
    await using server = await startServerProcess();
    await using page = await startBrowser();
    await page.open(`${server.url}/`);
    await page.until(figure);
    const focused = 'document.activeElement.textContent.trim()';
    const tabTo = async (text: string) => {
      for (let k = 0; k < 60 && !(await page.evaluate<string>(focused)).startsWith(text); k += 1)
        await page.press('Tab');
      expect(await page.evaluate(focused)).toContain(text);
    };
    await page.press('Tab');
    expect(await page.evaluate(focused)).toBe('Skip to the model');
    await tabTo('credit-risk');
    await page.press('Enter');
    await page.until("document.querySelector('main h2').textContent === 'credit-risk'");
    await tabTo('Try');
    await page.press('Enter');
    await page.until("document.querySelector('.try h3').textContent.includes('20261101_090000')");
    await page.until(figure);
    await page.press('Tab', 'Tab');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('INPUT');
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
    await enter(secretOf('person'));
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
    expect(page.problems.filter((it) => !/status of 40[04]/.test(it))).toEqual([]);
  });
});
