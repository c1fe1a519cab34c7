/**
 * @param movieId its unique key
 * @param extraChars how many characters longer than usual, at most 2,000
 * @returns a valid alert, the same for every peer
 */
export function alertOf(movieId: string, extraChars = 0) {
  return {
    movieId,
    email: 'someone@example.org',
    notification_date: '2030-01-31',
    title: 'The Third Man (restored)',
    category: 'film noir',
    imageUrl: `https://example.org/covers/the-third-man.png${'x'.repeat(extraChars)}`,
  };
}

/** @returns an alert that is due today, with a mail to an address of its own */
export function dueAlertOf(movieId: string) {
  return {
    movieId,
    email: `${movieId}@example.org`,
    notification_date: new Date().toISOString().slice(0, 10),
    title: `Title of ${movieId}`,
    category: 'drama',
    imageUrl: 'https://example.org/cover.png',
  };
}

/** @returns the key of the n-th seeded alert, all of the same length */
export function seededMovieId(index: number): string {
  return `seeded-${String(index).padStart(8, '0')}`;
}

/** @returns the path of an alert */
export function alertPath(movieId: string): string {
  return `/alert/movie/${encodeURIComponent(movieId)}`;
}
