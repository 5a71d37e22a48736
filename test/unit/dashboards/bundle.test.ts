import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const BUDGET_BYTES = 60_000
const folder = mkdtempSync(join(tmpdir(), 'gatewatch-web-'))

beforeAll(async () => {
  const { build } = await import('vite')
  await build({
    configFile: fileURLToPath(new URL('../../../dashboards/web/vite.config.ts', import.meta.url)),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the built page', () => {
  it('loads at most 60 kB of compressed script first', () => {
    const page = readFileSync(join(folder, 'index.html'), 'utf8')
    const first = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1] ?? '')
    expect(first.length).toBeGreaterThan(0)
    const bytes = first
      .map((file) => gzipSync(readFileSync(join(folder, file)), { level: 9 }).length)
      .reduce((sum, size) => sum + size, 0)
    expect(bytes).toBeLessThanOrEqual(BUDGET_BYTES)
  })

  it('has nothing inline that its policy would refuse, and nothing from elsewhere', () => {
    const page = readFileSync(join(folder, 'index.html'), 'utf8')
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)/)
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|https?:\/\//)
    const styles = readdirSync(join(folder, 'assets')).filter((file) => file.endsWith('.css'))
    for (const file of styles) {
      expect(readFileSync(join(folder, 'assets', file), 'utf8')).not.toMatch(/url\(["']?(?:https?:|data:)/)
    }
  })

  it('never writes markup from text', () => {
    const sources = readdirSync(new URL('../../../dashboards/web/src/', import.meta.url), {
      recursive: true,
      encoding: 'utf8',
    }).filter((file) => /\.tsx?$/.test(file))
    expect(sources.length).toBeGreaterThan(30)
    for (const file of sources) {
      const source = readFileSync(new URL(`../../../dashboards/web/src/${file}`, import.meta.url), 'utf8')
      expect(source, file).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/)
    }
  })
})
