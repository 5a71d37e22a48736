import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GatewatchProcess } from '../../helpers/gatewatch.ts'
import { launchBrowser, openPage, overflow } from './browser.ts'
import { type DemoAddress, demoAddress, foreignDemo } from './demo-address.ts'
import { describeDemo } from './demo-answers.ts'
import { HOSTILE, hostileAnswers } from './hostile.ts'

const KINDS = ['Volume', 'Off-hours', 'New tool', 'Chained calls']
/** What each kind of finding draws. */
const PICTURES = {
  Volume: '.plot canvas',
  'Off-hours': '.heat',
  'New tool': '.adoption',
  'Chained calls': '.steps',
}

let demo: DemoAddress
let browser: Browser
let page: Page
let troubles: string[]

beforeAll(async () => {
  demo = await demoAddress()
  browser = await launchBrowser()
  ;({ page, troubles } = await openPage(browser))
  await page.goto(demo.loginUrl)
})

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
})

const open = async (hash: string): Promise<void> => {
  await page.goto(`${demo.url}/${hash}`)
}

const card = (kind: string) => page.locator('.kind-card', { has: page.getByRole('heading', { name: kind }) })

// Before the dashboard changes anything.
if (foreignDemo() === undefined) describeDemo(() => demo.process as GatewatchProcess)

describe('the first page', () => {
  it('shows volume, and of each kind a finding with its sentence and the delivery it caused', async () => {
    await open('#/')
    await page.locator('.plot canvas').waitFor()
    for (const kind of KINDS) {
      const sentence = await card(kind).locator('.kind-sentence').textContent()
      expect(sentence?.length, kind).toBeGreaterThan(20)
      await card(kind).locator('.delivery').first().waitFor()
      expect(await card(kind).locator('.delivery').first().textContent()).toMatch(
        /(Delivered|Due|Failed) to /,
      )
      await card(kind)
        .locator('.kind-count', { hasText: /^[1-9]/ })
        .waitFor()
    }
  })

  it.each([1440, 1024])('shows whole sentences and one message a card, %i pixels wide', async (width) => {
    await page.setViewportSize({ width, height: 900 })
    await open('#/')
    for (const kind of KINDS) {
      await card(kind).locator('.delivery').first().waitFor()
      expect(await card(kind).locator('.delivery').count(), kind).toBe(1)
      const hidden = await card(kind)
        .locator('.kind-sentence')
        .evaluate(
          (sentence: { scrollHeight: number; clientHeight: number }) =>
            sentence.scrollHeight - sentence.clientHeight,
        )
      expect(hidden, kind).toBeLessThanOrEqual(1)
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  it('keeps no ticket in the address or the history', async () => {
    expect(page.url()).not.toContain('ticket')
    expect(await page.evaluate<string>('document.cookie')).toBe('')
  })

  it('leads from each number to the view behind it', async () => {
    await open('#/')
    await page.locator('.tiles a', { hasText: 'Denied' }).click()
    await page.waitForURL(/#\/events\?outcome=denied/)
    await page.locator('.event-row .outcome-denied').first().waitFor()
    expect(await page.locator('.virtual .outcome:not(.outcome-denied)').count()).toBe(0)
  })
})

describe('findings', () => {
  it.each(Object.entries(PICTURES))(
    'explains a finding of the kind %s with its picture',
    async (kind, picture) => {
      await open('#/')
      await card(kind).locator('.kind-sentence').click()
      await page.waitForURL(/#\/findings\//)
      await page.locator(picture).first().waitFor()
      for (const heading of [
        'Observed',
        'Expected',
        'From how much history',
        'What would have silenced it',
      ]) {
        expect(await page.getByRole('heading', { name: heading, exact: true }).count(), heading).toBe(1)
      }
      await page.locator('.event-list li').first().waitFor()
    },
  )

  it.each([1440, 1024, 390])('break no word of ours in their tables, %i pixels wide', async (width) => {
    await open('#/')
    await card('Chained calls').locator('.kind-sentence').click()
    await page.locator('.values-table td.whole').first().waitFor()
    await page.setViewportSize({ width, height: 900 })
    const lines = await page
      .locator('.values-table :is(th, td.whole) bdi')
      .evaluateAll((cells: { getClientRects(): { length: number } }[]) =>
        cells.map((cell) => cell.getClientRects().length),
      )
    await page.setViewportSize({ width: 1440, height: 900 })
    expect(lines.length).toBeGreaterThan(0)
    expect(Math.max(...lines)).toBe(1)
  })

  it('come back as they were after reload, back and forward', async () => {
    await open('#/findings?detector=chain&from=-28d')
    const first = page.locator('.rows .row-main').first()
    await first.waitFor()
    expect(new Set(await page.locator('.rows .kind').allTextContents())).toEqual(new Set(['Chained calls']))
    await first.click()
    await page.locator('.finding-head').waitFor()
    await page.goBack()
    await page.locator('.rows .row-main').first().waitFor()
    expect(page.url()).toContain('detector=chain')
    await page.reload()
    await page.locator('.rows .row-main').first().waitFor()
    expect(await page.locator('.choice.is-set select').inputValue()).toBe('chain')
  })
})

describe('alerts', () => {
  it('are walked, opened and left by keyboard', async () => {
    await open('#/alerts')
    await page.locator('.rows .row-main').first().waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForURL(/#\/alerts\//)
    await page.locator('.history li').first().waitFor()
    await page.keyboard.press('Escape')
    await page.waitForURL(/#\/alerts$/)
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
  })

  it('are acknowledged, and closed with a reason that the history tells', async () => {
    await open('#/alerts?status=open')
    // One that is over: an alert that still grows is rightly refused as changed since it was shown.
    await page.locator('.rows .row-main', { hasText: 'for the first time' }).first().click()
    await page.locator('.history li').first().waitFor()
    await page.keyboard.press('e')
    await page.locator('.finding-head .status-acknowledged').waitFor()
    await page.keyboard.press('c')
    await page.getByLabel('Benign positive').check()
    await page.getByRole('textbox', { name: 'Note' }).fill('a planned export')
    await page.getByRole('button', { name: 'Close alert' }).click()
    await page.locator('.finding-head .status-closed').waitFor()
    await page.locator('.history li', { hasText: 'Closed as Benign positive' }).waitFor()
    expect(await page.locator('.history blockquote').first().textContent()).toBe('a planned export')
  })
})

describe('events', () => {
  it('are narrowed by a facet, opened, and followed to their chain', async () => {
    await open('#/events')
    const facet = page.locator('.facet', { has: page.getByRole('heading', { name: 'Outcome' }) })
    await facet.locator('.facet-value', { hasText: 'failure' }).click()
    await page.waitForURL(/q=outcome%3Afailure/)
    await page.locator('.screen-events:not(.is-stale) .event-row .outcome-failure').first().waitFor()
    await page.locator('.virtual .event-row').first().click()
    await page.locator('.detail-field').first().waitFor()
    await page.locator('.detail a', { hasText: 'Chain' }).click()
    await page.waitForURL(/#\/chain\?key=/)
    await page.locator('.axis-mark').first().waitFor()
    expect(await page.locator('.chain-row').count()).toBeGreaterThan(0)
  })

  it('load on as they are scrolled, drawing only what is in sight', async () => {
    await open('#/events?from=-7d')
    await page.locator('.virtual .event-row').first().waitFor()
    const before = await page.locator('.event-foot').textContent()
    await page.evaluate("document.querySelector('.virtual').scrollTop = 1e6")
    await expect.poll(() => page.locator('.event-foot').textContent()).not.toBe(before)
    expect(await page.locator('.virtual .event-row').count()).toBeLessThan(120)
  })

  it('say precisely what is wrong with a filter, and keep it', async () => {
    await open('#/events')
    await page.getByLabel('Filter', { exact: true }).fill('tool:(x OR (')
    await page.keyboard.press('Enter')
    const mistake = await page.locator('.search-mistake').textContent()
    expect(mistake?.trim().length).toBeGreaterThan(10)
    expect(await page.getByLabel('Filter', { exact: true }).inputValue()).toBe('tool:(x OR (')
  })
})

describe('every screen', () => {
  const SCREENS = ['#/', '#/findings?from=-28d', '#/alerts', '#/events', '#/deliveries', '#/dead-letters']

  it.each([360, 820, 1280, 2560])('fits a window %d wide', async (width) => {
    await page.setViewportSize({ width, height: 800 })
    for (const screen of SCREENS) {
      await open(screen)
      await page.locator('.screen:not(:has(.skeleton))').waitFor()
      expect(await overflow(page), screen).toBeLessThanOrEqual(0)
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  it('shows hostile text as text, and runs none of it', async () => {
    const hostile = await openPage(browser, {
      viewport: { width: 1280, height: 800 },
      storageState: await page.context().storageState(),
    })
    await hostileAnswers(hostile.page)
    for (const screen of [...SCREENS, '#/findings/x', '#/alerts/x', '#/events?event=x', '#/chain?key=x']) {
      await hostile.page.goto(`${demo.url}/${screen}`)
      await hostile.page.locator('.screen:not(:has(.skeleton))').waitFor()
      expect(await overflow(hostile.page), screen).toBeLessThanOrEqual(0)
      expect(await hostile.page.locator('#app :is(img, script, iframe, object)').count(), screen).toBe(0)
      const text = (await hostile.page.locator('main').textContent()) ?? ''
      expect(text, screen).not.toMatch(/\p{Cf}|(?!\n|\t)\p{Cc}/u)
      if (screen.startsWith('#/findings')) expect(text).toContain('<img src=x onerror=')
    }
    expect(await hostile.page.evaluate('window.pwned')).toBeUndefined()
    expect(hostile.troubles).toEqual([])
    expect(HOSTILE.length).toBeGreaterThan(10)
    await hostile.page.context().close()
  })

  it('says how to sign in again when the session is over', async () => {
    const stranger = await openPage(browser)
    await stranger.page.goto(`${demo.url}/#/findings?detector=chain`)
    await stranger.page.getByRole('heading', { name: 'Sign in again' }).waitFor()
    expect(await stranger.page.locator('.command').textContent()).toContain('npx gatewatch')
    expect(stranger.page.url()).toContain('detector=chain')
    await stranger.page.context().close()
  })

  it('never broke the page’s policy and never threw', () => {
    expect(troubles).toEqual([])
  })
})
