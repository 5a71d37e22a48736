import { afterEach, expect, it, vi } from 'vitest'
import { createOutput } from '../../../../app/cli/output.ts'

afterEach(() => vi.restoreAllMocks())

function tableOn(terminal: boolean, cell: string): string {
  let written = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text)
    return true
  })
  const { isTTY } = process.stdout
  process.stdout.isTTY = terminal
  try {
    createOutput({ json: false }).table(['what', 'after'], [[cell, 'x']])
  } finally {
    process.stdout.isTTY = isTTY
    vi.mocked(process.stdout.write).mockRestore()
  }
  return written
}

it('cuts long cells on a terminal, and nothing where a program or a file reads', () => {
  const long = `${'0123456789'.repeat(50)} end`
  expect(tableOn(true, long)).toMatch(/^0[0-9]{78}… {2}x$/m)
  expect(tableOn(false, long)).toContain(`${long}  x\n`)
  expect(tableOn(false, `${long}\u001b[2J`)).toContain(`${long}\\u{1b}[2J  x`)
})
