/** A code is a promise to clients and scripts: it never changes its meaning. */
export const codes = {
  // 413 and not 507, which WebDAV has for it: it is the client's to mend, and a 5xx asks to be tried again.
  quota_exceeded: { title: 'More than the owner may have', httpStatus: 413, exitCode: 65 },
};

type Codes = typeof codes;

declare module '../../platform/codes.ts' {
  interface AppCodes extends Codes {}
}
