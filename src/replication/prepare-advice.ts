/** What a person can do about a damaged database with HEAL=manual. */
export const INSTRUCTIONS =
  'To have it put aside and replaced by its replica, start once with HEAL=auto. To choose what comes in its place, look with npm run restore -- --list, and run npm run restore -- --in-place, with --at TIME for an earlier state; the old files are kept.';
