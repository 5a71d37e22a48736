import { expect, it } from 'vitest'
import { createSources, SEPARATE_SOURCES } from '../../../core/sources.ts'

it.each([
  ['mcp-audit', 'mcp-audit'],
  ['http-kong', 'http-kong'],
  ['http', 'http'],
  ['http-0f8fad5b-d9cb-469f-a165-70867728950e', 'http'],
  ['file:/var/log/gateway/a.log', 'file:/var/log/gateway/'],
  ['file:/var/log/gateway/b.log', 'file:/var/log/gateway/'],
  ['file:/var/log/other/b.log', 'file:/var/log/other/'],
  ['file:a.log', 'file:'],
])('the source of %s is %s', (topic, source) => {
  expect(SEPARATE_SOURCES.of(topic)).toBe(source)
})

it('takes for one what the operator says, and nothing else', () => {
  const sources = createSources({
    together: [['otlp_logs', 'otlp_spans'], ['http-kong*']],
    history: ['http-old'],
  })
  expect(sources.of('otlp_logs')).toBe(sources.of('otlp_spans'))
  expect(sources.of('http-kong')).toBe(sources.of('http-kong-otel'))
  expect(sources.of('http-kong')).not.toBe(sources.of('otlp_logs'))
  expect(sources.of('otlp_metrics')).toBe('otlp_metrics')
  expect([sources.isHistory('http-old'), sources.isHistory('http-older')]).toEqual([true, false])
})
