"""The polling thread: against our simulator, which comes, goes, is slow, and refuses."""
