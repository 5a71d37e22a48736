/** A test file, as text. */
export interface TestFile {
  readonly path: string
  readonly text: string
}

const RULES: readonly { readonly breach: string; readonly found: (file: TestFile) => boolean }[] = [
  {
    breach: 'has a time limit of its own: vitest.config.ts has the one for all',
    found: ({ text }) => /\btimeout: ?\d|\}, ?[\d_]{4,}\)$|^\s+[\d_]{5,},\n\s*\)$/m.test(text),
  },
  {
    breach: 'holds the clock against a bound: use cpuMsOf, or wait for what shall happen',
    found: ({ text }) => /(performance|Date)\.now\(\) - \w+\)\s*\.toBeLess/.test(text),
  },
  {
    breach:
      'mocks a module that a file before it may have loaded: call vi.resetModules() in vi.hoisted and at the end',
    found: ({ path, text }) =>
      path.startsWith('test/unit/') &&
      /\bvi\.mock\(/.test(text) &&
      text.split('vi.resetModules()').length < 3,
  },
]

/** Every breach of what keeps the tests independent of the machine and of each other, each as one line. */
export const breachesOfTests = (files: readonly TestFile[]): string[] =>
  files.flatMap((file) =>
    RULES.filter(({ found }) => found(file)).map(({ breach }) => `${file.path} ${breach}`),
  )
