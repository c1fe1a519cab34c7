/** What can go wrong beside what ninelives knows. A code is a promise to clients: it never changes its meaning. */
export const codes = {
  note_blank: { title: 'The note is blank', httpStatus: 422, exitCode: 65 },
};

type Own = typeof codes;

declare module 'ninelives' {
  interface AppCodes extends Own {}
}
