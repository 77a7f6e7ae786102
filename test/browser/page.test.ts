import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Wirelab } from '../kit/wirelab.ts';

const CHROMIUM = '/usr/bin/chromium';
const LATER = { timeout: 10_000 };
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

describe.skipIf(!existsSync(CHROMIUM))('the page of a running lab (skipped where there is no Chromium)', () => {
  const wirelab = new Wirelab();
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];

  beforeAll(async () => {
    const address = await wirelab.up('two-hosts');
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    await page.goto(address);
  });
  afterAll(async () => {
    await browser?.close();
    await wirelab.end();
  });

  test('it shows the lab’s devices and that their wires have carrier', async () => {
    await expect.poll(() => page.locator('#status').textContent(), LATER).toContain('3 of 3 devices up');
    expect(await page.locator('svg .device text').allTextContents()).toEqual(['alice', 'bob', 'sw']);
    expect(await page.locator('svg .wire').count()).toBe(2);
    expect(await page.locator('#status').textContent()).toContain('all wires have carrier');
  });

  test('frames of a ping appear in the list, and a selected one shows its layers in both models', async () => {
    await wirelab.exec('alice', 'ping', '-c', '2', '10.0.0.2');
    await page.waitForSelector('tr.ICMP');
    await page.locator('tr.ICMP').first().click();
    const layers = await page.locator('#detail summary').allTextContents();
    expect(layers.map((layer) => layer.split(',')[0])).toEqual([
      expect.stringContaining('Physical'),
      'Ethernet II',
      'Internet Protocol Version 4',
      expect.stringContaining('Internet Control Message Protocol'),
      expect.stringContaining('Data'),
    ]);
    expect(layers.join()).toContain('OSI 3 Network · TCP/IP Internet');
    expect(await page.locator('#detail').textContent()).toContain('Time to Live: 64');
  });

  test('a click on a wire unplugs it, and another plugs it in', async () => {
    // A level line has no height, so the test clicks where it is instead of on "the element".
    const at = await page.locator('svg .wire').first().boundingBox();
    if (at === null) throw new Error('the first wire is drawn');
    await page.mouse.click(at.x + at.width / 2, at.y + at.height / 2);
    await expect.poll(() => page.locator('svg .wire.down').count(), LATER).toBe(1);
    expect(await wirelab.exec('alice', 'ip', 'link', 'show', 'eth0')).toContain('NO-CARRIER');
    await page.locator('svg .hit').first().press('Enter');
    await expect.poll(() => page.locator('svg .wire.down').count(), LATER).toBe(0);
    expect(await wirelab.exec('alice', 'ip', 'link', 'show', 'eth0')).not.toContain('NO-CARRIER');
  });

  test('a plug that the page pulled is in again when the page is gone', async () => {
    const other = await browser.newPage();
    await other.goto(page.url());
    await other.waitForSelector('svg .hit');
    await other.locator('svg .hit').first().press('Enter');
    await expect.poll(() => page.locator('svg .wire.down').count(), LATER).toBe(1);
    expect(await wirelab.good('faults')).toBe('unplug alice:eth0--sw:p1 (held)\n');
    await other.close();
    await expect.poll(() => page.locator('svg .wire.down').count(), LATER).toBe(0);
    expect(await wirelab.good('faults')).toBe('no fault is in force\n');
  });

  test('a frame that a bad wire has lost is marked with the rule that did it', async () => {
    await wirelab.good('impair', 'alice:eth0', '--match', 'icmp.type == 8', '--nth', '1', '--loss', '100%');
    await wirelab.exec('alice', 'ping', '-c', '2', '-i', '0.2', '10.0.0.2');
    await page.waitForSelector('tr.verdict');
    expect(await page.locator('tr.verdict').last().textContent()).toContain(
      '[lost by match "icmp.type == 8" nth 1: loss 100%]',
    );
    await wirelab.good('heal');
    expect(await page.locator('#status').textContent()).toContain('seed 1');
  });

  test('a killed device is shown as dead, and the page goes on', async () => {
    await wirelab.good('kill', 'bob');
    await page.waitForSelector('svg .device.dead');
    await wirelab.good('start', 'bob');
    await expect.poll(() => page.locator('svg .device.dead').count(), LATER).toBe(0);
  });

  test('the page has reported no error', () => {
    expect(problems).toEqual([]);
  });
});
