export const codes = {
  note_final: { title: 'The note is final', httpStatus: 409, exitCode: 65 },
};

type Own = typeof codes;

declare module '../../../src/platform/codes.ts' {
  interface AppCodes extends Own {}
}
