"""The files a person works with: which version each path holds, what differs, bringing files in line."""
