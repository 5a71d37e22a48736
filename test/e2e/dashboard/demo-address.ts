export interface DemoAddress {
  readonly url: string
  /** Opens a session, once. */
  readonly loginUrl: string
  stop(): Promise<void>
}

/** The demo that the tests look at: their own, or a running one that `GATEWATCH_E2E_LOGIN_URL` signs in to. */
export async function demoAddress(): Promise<DemoAddress> {
  const loginUrl = process.env.GATEWATCH_E2E_LOGIN_URL
  if (loginUrl === undefined) {
    const { startDemo } = await import('../../helpers/demo.ts')
    return startDemo()
  }
  return { url: new URL(loginUrl).origin, loginUrl, stop: async () => {} }
}
