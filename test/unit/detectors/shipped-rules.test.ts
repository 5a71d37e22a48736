import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { explainRule } from '../../../app/cli/rule-explanation.ts'
import { loadRulesAndSignals } from '../../../app/wire/rules.ts'
import { DEFAULT_LIMITS } from '../../../detectors/cardinality.ts'
import { detectors } from '../../../detectors/registry.ts'

const { rules, faults } = loadRulesAndSignals({ shipped: true, folders: [], limits: DEFAULT_LIMITS })

it('the shipped rules and signals have no mistakes', () => {
  expect(faults.map((fault) => fault.toLine())).toEqual([])
  expect(rules.length).toBeGreaterThan(20)
})

it.each(rules.map((rule) => [rule.id, rule] as const))('%s says what it asks', async (_, rule) => {
  const told = await explainRule(rule)
  expect(told.asks).toMatch(/\?$/)
  expect(told.question.length).toBeGreaterThan(0)
  for (const { sql } of told.question) expect(sql).toMatch(/^(SELECT|WITH)[\s\S]*FROM/)
  for (const { name, allowed } of told.parameters) expect([name, allowed]).not.toContain('')
})

describe.each(detectors.map(({ kind }) => kind))('the README of %s', (kind) => {
  const lines = readFileSync(new URL(`../../../detectors/${kind}/README.md`, import.meta.url), 'utf8').split(
    '\n',
  )

  it('names each parameter with its range and its default', () => {
    const rule = rules.find((one) => one.kind === kind)
    const params = rule?.params.filter(({ field }) => field.split('.').length === 2) ?? []
    expect(params.length).toBeGreaterThan(0)
    for (const { field, allowed, fallback } of params) {
      const line = lines.find((each) => each.startsWith(`| \`${field.slice('params.'.length)}\` `)) ?? ''
      const [, , , range = ''] = line.split('|')
      for (const bound of /^an? .* from|^a list of/.test(allowed)
        ? (allowed.match(/(?<= )[\d.]+[a-z]*(?= |$)/g) ?? [])
        : [])
        expect(`${field}: ${range.replaceAll(',', '')} `).toContain(` ${bound} `)
      for (const word of allowed.match(/(?<=^one of: ).*/)?.[0].split(', ') ?? [])
        expect(`${field}: ${range}`).toContain(`\`${word}\``)
      if (typeof fallback === 'number') expect(line.split('|')[2]?.trim()).toBe(String(fallback))
    }
  })
})
