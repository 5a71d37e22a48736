/**
 * Kinds of secrets that are known by their look. The kinds and prefixes follow the issuers' documentation and the
 * families of gitleaks (MIT); the expressions are our own.
 *
 * JavaScript's own expressions, not RE2: a pattern runs only where its keyword was seen, and each is written without
 * nested or adjoining open repetitions and with few places to start from (`(?<!…)` before a run of characters that the
 * run itself matches), so matching stays linear; `secret-patterns.test.ts` holds each to that. RE2 in JavaScript is an order of magnitude slower.
 * Each has two groups: what is kept, and what is replaced.
 */
export interface SecretPattern {
  readonly id: string
  /** One of these must occur (in any case) before the expression is tried. */
  readonly keywords: readonly string[]
  readonly expression: RegExp
}

const pattern = (id: string, keywords: readonly string[], expression: RegExp): SecretPattern => ({
  id,
  keywords,
  expression,
})

export const SECRET_PATTERNS: readonly SecretPattern[] = [
  // Long and structured first: what they cover is not looked at again by the general ones below.
  pattern(
    'private-key',
    ['-----begin'],
    // Without its end (a text that was cut) the key reaches to the end of the text.
    /()(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$))/g,
  ),
  pattern('jwt', ['eyj'], /()((?<![\w-])eyJ[\w-]{8,8192}\.eyJ[\w-]{4,16384}\.[\w-]{0,4096})/g),
  pattern(
    'jwe',
    ['eyj'],
    /()((?<![\w-])eyJ[\w-]{8,8192}\.[\w-]{0,4096}\.[\w-]{8,4096}\.[\w-]{8,16384}\.[\w-]{8,4096})/g,
  ),
  pattern(
    'aws-access-key-id',
    ['akia', 'asia', 'abia', 'acca'],
    /()(\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b)/g,
  ),
  pattern(
    'aws-secret-key',
    ['aws', 'secretaccesskey'],
    /((?:aws_?)?secret_?(?:access_?)?key['"\\]{0,4}\s{0,4}(?:=>|[:=])\s{0,4}['"\\]{0,4})([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/gi,
  ),
  pattern('aws-bedrock-key', ['absk'], /()(\bABSK[A-Za-z0-9+/]{60,}={0,2})/g),
  pattern('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], /()(\bgh[pousr]_[A-Za-z0-9]{30,255}\b)/g),
  pattern('github-fine-grained-token', ['github_pat_'], /()(\bgithub_pat_\w{36,255}\b)/g),
  pattern(
    'gitlab-token',
    ['glpat-', 'glptt-', 'gldt-', 'glrt-', 'glcbt-', 'glsoat-', 'glagent-', 'gloas-', 'glft-', 'glimt-'],
    /()(\bgl(?:pat|ptt|dt|rt|cbt|soat|agent|oas|ft|imt)-[\w.-]{20,200})/g,
  ),
  pattern(
    'slack-token',
    ['xoxa-', 'xoxb-', 'xoxe', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xoxc-', 'xoxd-'],
    /()(\bxox[a-eo-s](?:\.xox[bp])?-[\w%-]{10,250})/g,
  ),
  pattern('slack-app-token', ['xapp-'], /()(\bxapp-\d-[A-Za-z0-9-]{10,200})/g),
  pattern(
    'slack-webhook',
    ['hooks.slack.com'],
    /(hooks\.slack\.com\/(?:services|workflows|triggers)\/)([\w/+-]{20,200})/g,
  ),
  pattern(
    'discord-webhook',
    ['discord'],
    /(discord(?:app)?\.com\/api\/webhooks\/\d{10,25}\/)([\w-]{40,100})/g,
  ),
  pattern('teams-webhook', ['webhook.office.com'], /(webhook\.office\.com\/webhookb2\/)([\w@/-]{40,250})/g),
  pattern(
    'stripe-key',
    ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'sk_prod_', 'whsec_'],
    /()(\b(?:[sr]k_(?:live|test|prod)|whsec)_[A-Za-z0-9+/=]{16,250})/g,
  ),
  pattern('google-api-key', ['aiza'], /()(\bAIza[\w-]{35})/g),
  pattern('google-oauth-token', ['ya29.'], /()(\bya29\.[\w.-]{20,1000})/g),
  pattern('google-client-secret', ['gocspx-'], /()(\bGOCSPX-[\w-]{28})/g),
  pattern('anthropic-key', ['sk-ant-'], /()(\bsk-ant-[\w-]{20,250})/g),
  pattern('sk-key', ['sk-'], /()(\bsk-(?!ant-)(?:[a-z]{2,12}-)?[\w-]{20,250})/g),
  pattern('huggingface-token', ['hf_', 'api_org_'], /()(\b(?:hf|api_org)_[A-Za-z0-9]{30,50}\b)/g),
  pattern('groq-key', ['gsk_'], /()(\bgsk_[A-Za-z0-9]{40,80}\b)/g),
  pattern('perplexity-key', ['pplx-'], /()(\bpplx-[A-Za-z0-9]{40,80}\b)/g),
  pattern('replicate-token', ['r8_'], /()(\br8_[A-Za-z0-9]{36,50}\b)/g),
  pattern('npm-token', ['npm_'], /()(\bnpm_[A-Za-z0-9]{36}\b)/g),
  pattern('pypi-token', ['pypi-'], /()(\bpypi-[\w-]{50,1000})/g),
  pattern('rubygems-token', ['rubygems_'], /()(\brubygems_[a-f0-9]{48}\b)/g),
  pattern('docker-token', ['dckr_'], /()(\bdckr_(?:pat|oat)_[\w-]{20,100})/g),
  pattern('digitalocean-token', ['dop_v1_', 'doo_v1_', 'dor_v1_'], /()(\bdo[opr]_v1_[a-f0-9]{64}\b)/g),
  pattern(
    'shopify-token',
    ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
    /()(\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b)/g,
  ),
  pattern('sendgrid-key', ['sg.'], /()(\bSG\.[\w-]{16,32}\.[\w-]{16,64})/g),
  pattern('twilio-key', ['sk'], /()(\bSK[0-9a-f]{32}\b)/g),
  pattern('mailgun-key', ['key-'], /()(\bkey-[0-9a-f]{32}\b)/g),
  pattern('mailchimp-key', ['-us'], /()(\b[0-9a-f]{32}-us\d{1,2}\b)/g),
  pattern('telegram-bot-token', [':aa'], /()(\b\d{8,10}:AA[\w-]{32,34})/g),
  pattern('databricks-token', ['dapi'], /()(\bdapi[a-f0-9]{32}(?:-\d)?\b)/g),
  pattern('linear-key', ['lin_api_', 'lin_oauth_'], /()(\blin_(?:api|oauth)_[A-Za-z0-9]{32,80}\b)/g),
  pattern('notion-token', ['ntn_', 'secret_'], /()(\b(?:ntn_|secret_)[A-Za-z0-9]{40,60}\b)/g),
  pattern('atlassian-token', ['atatt3', 'atctt3'], /()(\bAT[AC]TT3[\w=-]{50,250})/g),
  pattern('vault-token', ['hvs.', 'hvb.', 'hvr.'], /()(\bhv[sbr]\.[\w-]{20,300})/g),
  pattern('terraform-token', ['.atlasv1.'], /()(\b[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70})/g),
  pattern('pulumi-token', ['pul-'], /()(\bpul-[a-f0-9]{40}\b)/g),
  pattern('grafana-token', ['glsa_', 'glc_'], /()(\bgl(?:sa|c)_[\w+/=-]{32,400})/g),
  pattern('postman-key', ['pmak-'], /()(\bPMAK-[a-fA-F0-9]{24}-[a-fA-F0-9]{34}\b)/g),
  pattern('newrelic-key', ['nrak-', 'nrjs-', 'nral'], /()(\bNR(?:AK|JS|AL)-?[A-Za-z0-9]{19,40}\b)/g),
  pattern('square-token', ['sq0', 'eaaa'], /()(\b(?:sq0(?:atp|csp)-[\w-]{22,43}|EAAA[\w-]{60}))/g),
  pattern('doppler-token', ['dp.'], /()(\bdp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,80})/g),
  pattern('planetscale-token', ['pscale_'], /()(\bpscale_(?:tkn|pw|oauth)_[\w.=-]{32,64})/g),
  pattern('sentry-token', ['sntrys_', 'sntryu_'], /()(\bsntry[su]_[\w+/=-]{40,400})/g),
  pattern('fly-token', ['fo1_', 'fm1', 'fm2_'], /()(\b(?:fo1_|fm1[ar]_|fm2_)[\w+/=,-]{40,600})/g),
  pattern('age-key', ['age-secret-key-1'], /()(AGE-SECRET-KEY-1[A-Z0-9]{58})/gi),
  pattern('cloudflare-key', ['v1.0-'], /()(\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}\b)/g),
  pattern('heroku-key', ['hrku-'], /()(\bHRKU-[\w-]{30,80})/g),
  pattern('supabase-token', ['sbp_', 'sb_secret_'], /()(\b(?:sbp|sb_secret)_[A-Za-z0-9_]{20,80})/g),
  pattern(
    'artifactory-token',
    ['akcp', 'cmvmdgtu'],
    /()(\b(?:AKCp[A-Za-z0-9]{60,80}|cmVmdGtu[A-Za-z0-9]{50,80}))/g,
  ),
  pattern('azure-client-secret', ['q~'], /()([\w~.-]{3}\dQ~[\w~.-]{31,34})/g),
  pattern(
    'azure-storage-key',
    ['accountkey', 'sharedaccesskey'],
    /((?:Account|SharedAccess)Key\s{0,2}=\s{0,2})([A-Za-z0-9+/]{40,88}={0,2})/gi,
  ),
  // The general ones.
  pattern('url-password', ['://'], /(:\/\/[^\s/?#:@"'<>\\]{0,200}:)([^\s/?#@"'<>\\]{1,500})(?=@)/g),
  pattern(
    'url-secret',
    ['token', 'key', 'secret', 'sig', 'password', 'passwd', 'pwd', 'auth', 'code='],
    /([?&#;](?:[\w.-]{0,40}[_.-])?(?:access_?token|id_?token|refresh_?token|token|(?:api|access|auth|private|secret|subscription)[_-]?key|secret|client_?secret|sig|signature|password|passwd|pwd|auth|authorization|code|credential)=)([^\s&#;"'<>\\]{4,4096})/gi,
  ),
  pattern(
    'authorization-header',
    ['bearer', 'basic', 'authorization'],
    /((?:\b(?:bearer|basic)|\bauthorization['"\\]{0,4}\s{0,4}[:=]\s{0,4}['"\\]{0,4}(?:bearer|basic|token|digest|negotiate|aws4-hmac-sha256)?)\s{1,4})([\w.~+/:=-]{12,8192})/gi,
  ),
  pattern(
    'cookie-header',
    ['cookie'],
    /(\b(?:set-)?cookie['"\\]{0,4}\s{0,4}[:=]\s{0,4}['"\\]{0,4})([^\r\n"'\\]{4,8192})/gi,
  ),
  pattern(
    'quoted-assignment',
    ['passw', 'passphrase', 'pwd', 'secret', 'token', 'api', 'private'],
    // The whole of what is between the quotes, spaces and commas too; without the closing quote, the rest of the line.
    /((?:\b|[_-]|(?=passw|pwd))(?:password|passwd|passphrase|pwd|client[_-]?secret|secret[_-]?key|secret|(?:access|auth|refresh|api)[_-]?token|token|api[_-]?key|private[_-]?key)['"\\]{0,4}\s{0,4}(?:=>|[:=])\s{0,4}\\{0,3}["'])([^"'\\\r\n]{4,4096})/gi,
  ),
  pattern(
    'assignment',
    ['passw', 'passphrase', 'pwd', 'secret', 'token', 'api', 'access', 'private', 'credential', 'auth'],
    // key = value, key: value, "key": "value", also with the quotes escaped (JSON inside text).
    /((?:\b|[_-]|(?=passw|pwd))(?:password|passwd|passphrase|pwd|client[_-]?secret|secret[_-]?key|secret|(?:access|auth|refresh|id|bearer|session|api)[_-]?token|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|authorization)['"\\]{0,4}\s{0,4}(?:=>|[:=])\s{0,4}['"\\]{0,4})([^\s'"\\,;&)}\]<>]{4,4096})/gi,
  ),
]
