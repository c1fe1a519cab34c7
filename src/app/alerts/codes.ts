/** A code is a promise to clients and scripts: it never changes its meaning. */
export const codes = {
  alert_sending: { title: 'The alert is being sent', httpStatus: 409, exitCode: 75 },
  alert_sent: { title: 'The alert has been sent', httpStatus: 409, exitCode: 65 },
  alert_not_failed: { title: 'The alert has not failed', httpStatus: 409, exitCode: 65 },
};

type Codes = typeof codes;

declare module '../../platform/codes.ts' {
  interface AppCodes extends Codes {}
}
